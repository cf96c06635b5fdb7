// The time of a worker in a modelled network.
//
// The clock advances when the worker waits for a message (network_model.hpp) and when it works.
// Local work is either measured or declared. Measured work takes the wall time of the worker's
// turn, in which no other worker runs, as on a machine of its own. Declared work takes the same
// time in every run, and work that is not declared takes none. Copies of messages to and from the
// wire and their checksums are not local work: the model of the NIC covers them.
#pragma once

#include <chrono>
#include <cstdint>

namespace terse {

enum class LocalWork : std::uint8_t { measured, declared };

class VirtualClock {
 public:
  VirtualClock(LocalWork work, double slowness) : work_(work), slowness_(slowness) {}

  double now() const { return now_; }
  // May also set the clock back: for work that the worker could have begun earlier.
  void set(double now) { now_ = now; }
  // Advances the clock by declared work.
  void spend(double seconds) { now_ += slowness_ * seconds; }

  // Measured work counts from measure(true) to measure(false), except between a stop() and its
  // start().
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

// During the lifetime of this object measured local work does not advance the clock; only the model
// of the network does. `clock` may be null.
class [[nodiscard]] PauseLocalWork {
 public:
  explicit PauseLocalWork(VirtualClock* clock) : clock_(clock) {
    if (clock_) clock_->stop();
  }
  ~PauseLocalWork() {
    if (clock_) clock_->start();
  }
  PauseLocalWork(const PauseLocalWork&) = delete;
  PauseLocalWork& operator=(const PauseLocalWork&) = delete;

 private:
  VirtualClock* clock_;
};

}  // namespace terse
