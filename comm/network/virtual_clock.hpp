// A worker's time in a modelled network.
//
// It moves when the worker waits for a message (network_model.hpp) and when it works. Local work is
// measured, as the time that it takes within the worker's turn, in which no other worker runs: that
// of a machine of its own. Or it is declared, and the same in every run: then what is not declared
// costs nothing. Copying messages to the wire and back and their checksums are the card's work, and
// part of the model.
#pragma once

#include <chrono>
#include <cstdint>

namespace terse {

enum class LocalWork : std::uint8_t { measured, declared };

class VirtualClock {
 public:
  VirtualClock(LocalWork work, double slowness) : work_(work), slowness_(slowness) {}

  double now() const { return now_; }
  // Also backwards: the worker turns to what it could have begun earlier.
  void set(double now) { now_ = now; }
  // Work that is declared.
  void spend(double seconds) { now_ += slowness_ * seconds; }

  // Work that is measured counts from measure(true) to measure(false), but for what lies between
  // a stop() and its start().
  void measure(bool on) {
    settle();
    measuring_ = on && work_ == LocalWork::measured;
    if (measuring_) since_ = Clock::now();
  }
  void stop() {
    settle();
    ++stops_;
  }
  void start() {
    --stops_;
    if (measuring_) since_ = Clock::now();
  }

 private:
  using Clock = std::chrono::steady_clock;

  void settle() {
    if (measuring_ && stops_ == 0) {
      spend(std::chrono::duration<double>(Clock::now() - since_).count());
    }
  }

  LocalWork work_;
  double slowness_;
  double now_ = 0;
  bool measuring_ = false;
  int stops_ = 0;
  Clock::time_point since_{};
};

// While it lives, the model alone moves the clock, if there is one.
class [[nodiscard]] Carried {
 public:
  explicit Carried(VirtualClock* clock) : clock_(clock) {
    if (clock_) clock_->stop();
  }
  ~Carried() {
    if (clock_) clock_->start();
  }
  Carried(const Carried&) = delete;
  Carried& operator=(const Carried&) = delete;

 private:
  VirtualClock* clock_;
};

}  // namespace terse
