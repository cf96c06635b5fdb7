#include "tersegrad/comm/transport/stall.hpp"

#include <pthread.h>

#include <algorithm>
#include <ctime>
#include <type_traits>

namespace terse {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kLongestSlice = std::chrono::seconds(1);

static_assert(std::is_same_v<ThreadClock, clockid_t>);

// An operating system gives a sleeping process a little processor time now and then: progress is at
// least this part of the deadline.
constexpr int kLeastPart = 1000;

}  // namespace

milliseconds StallTimer::slice() const {
  if (deadline_.count() == 0) return kLongestSlice;
  return std::clamp(deadline_ / 4, milliseconds(1), kLongestSlice);
}

bool StallTimer::stalled(int rank, std::span<const Activity> activities, Clock::time_point now) {
  const auto passed = now - last_look_;
  last_look_ = now;
  idle_ += std::min<nanoseconds>(passed, slice());
  if (progressed(rank, activities)) idle_ = {};
  return deadline_.count() > 0 && idle_ >= deadline_;
}

bool StallTimer::progressed(int rank, std::span<const Activity> activities) {
  const bool first = seen_.empty();
  seen_.resize(activities.size());
  std::vector<bool> known(activities.size());
  const auto reach = [&](int other) {
    if (known[static_cast<std::size_t>(other)]) return;
    known[static_cast<std::size_t>(other)] = true;
    reached_.push_back(other);
  };
  const auto reach_all = [&] {
    for (int other = 0; other < static_cast<int>(activities.size()); ++other) reach(other);
  };
  const auto reach_those_it_waits_for = [&](int waiter) {
    const int peer = activities[static_cast<std::size_t>(waiter)].waits_for;
    peer == Activity::kAnyone ? reach_all() : reach(peer);
  };
  reached_.clear();
  if (rank == Activity::kAnyone) {
    reach_all();
  } else {
    known[static_cast<std::size_t>(rank)] = true;  // its own wait is no progress
    reach_those_it_waits_for(rank);
  }

  bool changed = false;
  nanoseconds sum{};
  for (std::size_t i = 0; i < reached_.size(); ++i) {
    const auto other = static_cast<std::size_t>(reached_[i]);
    const Activity& activity = activities[other];
    if (activity.kind == Activity::Kind::waits) reach_those_it_waits_for(reached_[i]);
    if (activity.kind == Activity::Kind::works) sum += activity.processor_time;
    const auto now = 4 * activity.waits + static_cast<std::uint64_t>(activity.kind) + 1;
    changed |= seen_[other] != now;
    seen_[other] = now;
  }
  changed |= sum - processor_time_ >= std::max<nanoseconds>(deadline_ / kLeastPart, nanoseconds(1));
  if (changed) processor_time_ = sum;
  return changed && !first;
}

ThreadClock clock_of_this_thread() {
  clockid_t clock{};
  pthread_getcpuclockid(pthread_self(), &clock);
  return clock;
}

nanoseconds processor_time(ThreadClock clock) {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) return {};
  return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

nanoseconds processor_time_of_process() {
  return processor_time(CLOCK_PROCESS_CPUTIME_ID);
}

}  // namespace terse
