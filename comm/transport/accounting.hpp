// Counters of a worker: bytes and messages, and the seconds of each part of a
// step.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "tersegrad/comm/network/virtual_clock.hpp"
#include "tersegrad/core/archive.hpp"

namespace terse {

// A message has Packet::size_bytes() bytes: a 32-byte header and the payload. Control messages
// (PacketKind::control) have counters of their own.
struct Counters {
  std::uint64_t messages_sent = 0;
  std::uint64_t bytes_sent = 0;  // headers included
  std::uint64_t payload_bytes_sent = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t bytes_received = 0;    // headers included
  std::uint64_t control_messages = 0;  // sent
  std::uint64_t control_bytes = 0;     // sent, headers included

  void serialize(Archive& archive) {
    const auto scope = archive.scope("counters");
    archive.item("messages_sent", messages_sent);
    archive.item("bytes_sent", bytes_sent);
    archive.item("payload_bytes_sent", payload_bytes_sent);
    archive.item("messages_received", messages_received);
    archive.item("bytes_received", bytes_received);
    archive.item("control_messages", control_messages);
    archive.item("control_bytes", control_bytes);
  }
};

// The difference of two snapshots.
inline Counters operator-(const Counters& later, const Counters& earlier) {
  return {.messages_sent = later.messages_sent - earlier.messages_sent,
          .bytes_sent = later.bytes_sent - earlier.bytes_sent,
          .payload_bytes_sent = later.payload_bytes_sent - earlier.payload_bytes_sent,
          .messages_received = later.messages_received - earlier.messages_received,
          .bytes_received = later.bytes_received - earlier.bytes_received,
          .control_messages = later.control_messages - earlier.control_messages,
          .control_bytes = later.control_bytes - earlier.control_bytes};
}

// The parts of a step's time. Waiting for other workers counts as `exchange`. (The phases of a
// compressor are something else: in each of them there is an encode, an exchange and a decode.)
enum class Part : std::uint8_t { compute, encode, exchange, decode, update };
inline constexpr std::size_t kParts = 5;
inline constexpr std::array<std::string_view, kParts> kPartNames = {"compute", "encode", "exchange",
                                                                    "decode", "update"};

struct PartTimes {
  std::array<double, kParts> seconds{};
  double operator[](Part part) const { return seconds[static_cast<std::size_t>(part)]; }
  double& operator[](Part part) { return seconds[static_cast<std::size_t>(part)]; }

  void serialize(Archive& archive, std::string_view name) {
    archive.item(name, std::span(seconds));
  }
};

inline PartTimes operator+(PartTimes a, const PartTimes& b) {
  for (std::size_t i = 0; i < kParts; ++i) a.seconds[i] += b.seconds[i];
  return a;
}
inline PartTimes operator-(PartTimes later, const PartTimes& earlier) {
  for (std::size_t i = 0; i < kParts; ++i) later.seconds[i] -= earlier.seconds[i];
  return later;
}

// Attributes every moment to at most one part: while a scope runs inside another, the time counts
// for the inner one only. In a modelled network this holds for virtual time as well. Local work
// takes virtual time only within parts, so tests and reports take none.
class PartClock {
 public:
  explicit PartClock(VirtualClock* virtual_clock = nullptr) : virtual_clock_(virtual_clock) {}

  // Lives as long as the part lasts: `const auto timed = clock.time(Part::encode);`
  class [[nodiscard]] Scope {
   public:
    Scope(PartClock& clock, std::optional<Part> part)
        : clock_(clock), outer_(clock.change_to(part)) {}
    ~Scope() { clock_.change_to(outer_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    PartClock& clock_;
    std::optional<Part> outer_;
  };

  Scope time(Part part) { return Scope(*this, part); }
  // The time of this scope counts for no part.
  Scope pause() { return Scope(*this, std::nullopt); }
  // The sums over the scopes that have ended.
  const PartTimes& times() const { return times_; }
  const PartTimes& virtual_times() const { return virtual_times_; }
  // Between two parts. Measured times are in the scope "time".
  void serialize(Archive& archive) {
    virtual_times_.serialize(archive, "virtual_times");
    const auto scope = archive.scope("time");
    times_.serialize(archive, "parts");
  }
  void reset() {
    times_ = virtual_times_ = {};
    since_ = Clock::now();
    if (virtual_clock_) virtual_since_ = virtual_clock_->now();
  }

 private:
  using Clock = std::chrono::steady_clock;

  // Attributes the time since the last call to the running part, starts `next` and returns the
  // part before it.
  std::optional<Part> change_to(std::optional<Part> next) {
    const auto now = Clock::now();
    if (running_) times_[*running_] += std::chrono::duration<double>(now - since_).count();
    if (virtual_clock_) {
      virtual_clock_->measure(next.has_value());
      if (running_) virtual_times_[*running_] += virtual_clock_->now() - virtual_since_;
      virtual_since_ = virtual_clock_->now();
    }
    const auto former = running_;
    running_ = next;
    since_ = now;
    return former;
  }

  VirtualClock* virtual_clock_;
  PartTimes times_, virtual_times_;
  std::optional<Part> running_;
  Clock::time_point since_{};
  double virtual_since_ = 0;
};

}  // namespace terse
