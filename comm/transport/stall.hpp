// Stall detection: a deadline ends the wait for a peer that makes no progress, never for work.
//
//   A worker r that waits looks at the activities of all workers, at least once a second.
//   It depends on the workers that it waits for, and on those that they wait for, and so on.
//   Progress since the last look is one of
//     a worker that r depends on has finished a wait, or begun one, or left;
//     those of them that work have used processor time.
//   r's wait has stalled when there was no progress for a whole deadline.
//
// In a cycle of waits no worker works, so the waits stall. The time between two looks counts as at
// most one slice, so a job that was suspended as a whole and continued has lost one slice of its
// deadline. A worker that loops for ever uses processor time: it is not a stall.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

namespace terse {

// What a worker is doing, as far as another worker knows.
struct Activity {
  enum class Kind : std::uint8_t { works, waits, left };
  static constexpr int kAnyone = -1;  // all other workers

  Kind kind = Kind::works;
  int waits_for = kAnyone;                    // with Kind::waits: a rank, or kAnyone
  std::uint64_t waits = 0;                    // that it has finished
  std::chrono::nanoseconds processor_time{};  // of its threads; while it waits it does not count
};

// The deadline of one wait.
class StallTimer {
 public:
  using Clock = std::chrono::steady_clock;

  // Deadline 0: never.
  explicit StallTimer(std::chrono::milliseconds deadline, Clock::time_point now = Clock::now())
      : deadline_(deadline), last_look_(now) {}

  // A slice, which is how long the caller may sleep before it looks again: a quarter of the
  // deadline, at most a second.
  std::chrono::milliseconds slice() const;

  // Whether the wait of worker `rank` has stalled, from the activities of all workers by rank. With
  // kAnyone the caller is no worker and waits for all of them.
  bool stalled(int rank, std::span<const Activity> activities,
               Clock::time_point now = Clock::now());

  // For how long there was no progress.
  std::chrono::nanoseconds idle() const { return idle_; }

 private:
  bool progressed(int rank, std::span<const Activity> activities);

  std::chrono::milliseconds deadline_;
  Clock::time_point last_look_;
  std::chrono::nanoseconds idle_{}, processor_time_{};
  std::vector<std::uint64_t> seen_;  // by worker: what it does, and how many waits it has finished
  std::vector<int> reached_;         // the workers that `rank` depends on
};

// Processor time of the calling process's threads, and of one of them.
using ThreadClock = int;  // a clockid_t
ThreadClock clock_of_this_thread();
// Zero once the thread has ended.
std::chrono::nanoseconds processor_time(ThreadClock clock);
std::chrono::nanoseconds processor_time_of_process();

}  // namespace terse
