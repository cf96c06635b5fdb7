// Counters of a worker: bytes and messages, and the seconds of each phase.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "tersegrad/comm/network/virtual_clock.hpp"

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

// The phases of a step. Waiting for other workers is part of `exchange`.
enum class Phase : std::uint8_t { compute, encode, exchange, decode, update };
inline constexpr std::size_t kPhases = 5;
inline constexpr std::array<std::string_view, kPhases> kPhaseNames = {
    "compute", "encode", "exchange", "decode", "update"};

struct PhaseTimes {
  std::array<double, kPhases> seconds{};
  double operator[](Phase phase) const { return seconds[static_cast<std::size_t>(phase)]; }
  double& operator[](Phase phase) { return seconds[static_cast<std::size_t>(phase)]; }
};

inline PhaseTimes operator+(PhaseTimes a, const PhaseTimes& b) {
  for (std::size_t i = 0; i < kPhases; ++i) a.seconds[i] += b.seconds[i];
  return a;
}
inline PhaseTimes operator-(PhaseTimes later, const PhaseTimes& earlier) {
  for (std::size_t i = 0; i < kPhases; ++i) later.seconds[i] -= earlier.seconds[i];
  return later;
}

// Attributes every moment to at most one phase: while a scope runs inside another, the time counts
// for the inner one only. In a modelled network this holds for virtual time as well. Local work
// takes virtual time only within phases, so tests and reports take none.
class PhaseClock {
 public:
  explicit PhaseClock(VirtualClock* virtual_clock = nullptr) : virtual_clock_(virtual_clock) {}

  // Lives as long as the phase lasts: `const auto timed = clock.time(Phase::encode);`
  class [[nodiscard]] Scope {
   public:
    Scope(PhaseClock& clock, Phase phase) : clock_(clock), outer_(clock.change_to(phase)) {}
    ~Scope() { clock_.change_to(outer_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    PhaseClock& clock_;
    std::optional<Phase> outer_;
  };

  Scope time(Phase phase) { return Scope(*this, phase); }
  // The sums over the scopes that have ended.
  const PhaseTimes& times() const { return times_; }
  const PhaseTimes& virtual_times() const { return virtual_times_; }
  void reset() {
    times_ = virtual_times_ = {};
    since_ = Clock::now();
    if (virtual_clock_) virtual_since_ = virtual_clock_->now();
  }

 private:
  using Clock = std::chrono::steady_clock;

  // Attributes the time since the last call to the running phase, starts `next` and returns the
  // phase before it.
  std::optional<Phase> change_to(std::optional<Phase> next) {
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
  PhaseTimes times_, virtual_times_;
  std::optional<Phase> running_;
  Clock::time_point since_{};
  double virtual_since_ = 0;
};

}  // namespace terse
