// A worker's time in a modelled network.
//
// It moves when the worker waits for a message (network_model.hpp) and when it works. Local work is
// measured, as the time that it takes within the worker's turn, in which no other worker runs: that
// of a machine of its own. Or it is declared, and the same in every run: then what is not declared
// costs nothing.
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
  // stop() and start(): the worker waits, or its messages are being carried.
  void measure(bool on) {
    stop();
    measuring_ = on && work_ == LocalWork::measured;
    start();
  }
  void stop() {
    if (measuring_) spend(std::chrono::duration<double>(Clock::now() - since_).count());
  }
  void start() {
    if (measuring_) since_ = Clock::now();
  }

 private:
  using Clock = std::chrono::steady_clock;
  LocalWork work_;
  double slowness_;
  double now_ = 0;
  bool measuring_ = false;
  Clock::time_point since_{};
};

}  // namespace terse
