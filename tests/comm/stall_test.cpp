// Stall detection: what counts as progress, and how time is counted.
#include "tersegrad/comm/transport/stall.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace terse {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kWorks = Activity::Kind::works, kWaits = Activity::Kind::waits;

// Reads the activities of the workers once per second. The test sets the activities and the time.
class Watch {
 public:
  explicit Watch(std::size_t count, milliseconds deadline = seconds(10))
      : workers(count), timer_(deadline, start_) {}

  // The second at which worker 0's wait has stalled, or -1 if it has not within 100 s.
  template <class Change>
  int stalls_after(Change change) {
    for (int second = 1; second <= 100; ++second) {
      change(second);
      if (timer_.stalled(0, workers, start_ + seconds(second))) return second;
    }
    return -1;
  }

  std::vector<Activity> workers;

 private:
  const StallTimer::Clock::time_point start_{};
  StallTimer timer_;
};

TEST(Stall, APeerWithoutProgressIsOneAtTheDeadline) {
  Watch watch(2);
  watch.workers[0] = {.kind = kWaits, .waits_for = 1};
  EXPECT_EQ(watch.stalls_after([](int) {}), 10);
}

TEST(Stall, ProcessorTimeOfTheAwaitedWorkerIsProgress) {
  Watch watch(3);
  watch.workers[0] = {.kind = kWaits, .waits_for = 1};
  EXPECT_EQ(watch.stalls_after([&](int second) {
    if (second <= 40) watch.workers[1].processor_time += milliseconds(50);
  }),
            50);
}

TEST(Stall, ThatOfAWorkerThatNobodyWaitsForIsNot) {
  Watch watch(3);
  watch.workers[0] = {.kind = kWaits, .waits_for = 1};
  EXPECT_EQ(watch.stalls_after([&](int) { watch.workers[2].processor_time += seconds(1); }), 10);
}

TEST(Stall, SoIsThatOfAWorkerThatTheAwaitedOneWaitsFor) {
  Watch watch(3);
  watch.workers[0] = {.kind = kWaits, .waits_for = 1};
  watch.workers[1] = {.kind = kWaits, .waits_for = 2};
  EXPECT_EQ(watch.stalls_after([&](int) { watch.workers[2].processor_time += seconds(1); }), -1);
}

TEST(Stall, TheProcessorTimeOfAWaitIsNone) {
  Watch watch(2);
  watch.workers[0] = {.kind = kWaits, .waits_for = 1};
  watch.workers[1] = {.kind = kWaits, .waits_for = 0};
  EXPECT_EQ(watch.stalls_after([&](int) { watch.workers[1].processor_time += seconds(1); }), 10);
}

TEST(Stall, AWaitThatEndsIsProgress) {
  Watch watch(3);
  watch.workers[0] = {.kind = kWaits};  // for a packet of any worker
  watch.workers[1] = {.kind = kWaits, .waits_for = 2};
  EXPECT_EQ(watch.stalls_after([&](int second) {
    if (second == 5) ++watch.workers[1].waits;
    if (second == 9) watch.workers[2].kind = Activity::Kind::left;
  }),
            19);
}

TEST(Stall, ATraceOfProcessorTimeIsNoProgress) {
  Watch watch(2);
  watch.workers[0] = {.kind = kWaits, .waits_for = 1};
  watch.workers[1] = {.kind = kWorks};
  EXPECT_EQ(watch.stalls_after(
                [&](int) { watch.workers[1].processor_time += std::chrono::microseconds(100); }),
            10);
}

TEST(Stall, ASuspensionOfTheWholeJobCountsAsOneSlice) {
  const StallTimer::Clock::time_point start{};
  const std::vector<Activity> workers = {{.kind = kWaits, .waits_for = 1}, {}};
  for (const auto deadline : {milliseconds(10'000), milliseconds(2'000)}) {
    StallTimer timer(deadline, start);
    const auto slice = timer.slice();
    EXPECT_LE(slice, deadline / 4);
    EXPECT_FALSE(timer.stalled(0, workers, start + slice));
    EXPECT_FALSE(timer.stalled(0, workers, start + slice + std::chrono::hours(8)));
    EXPECT_EQ(timer.idle(), 2 * slice);
  }
}

TEST(Stall, ADeadlineOfZeroIsNone) {
  Watch watch(2, milliseconds(0));
  watch.workers[0] = {.kind = kWaits, .waits_for = 1};
  EXPECT_EQ(watch.stalls_after([](int) {}), -1);
}

TEST(Stall, AThreadsProcessorTimeIsReadByAnother) {
  ThreadClock clock{};
  std::thread([&] {
    clock = clock_of_this_thread();
    const auto end = std::chrono::steady_clock::now() + milliseconds(30);
    while (std::chrono::steady_clock::now() < end) {
    }
    std::thread([&] { EXPECT_GT(processor_time(clock), milliseconds(1)); }).join();
  }).join();
}

}  // namespace
}  // namespace terse
