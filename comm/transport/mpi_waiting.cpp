// Waits and heartbeats over MPI.
//
// A heartbeat on the wire: u8 kind, i32 the rank that is waited for, u64 waits, i64 nanoseconds of
// processor time.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "tersegrad/comm/transport/mpi_endpoint.hpp"
#include "tersegrad/core/bytes.hpp"
#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

// Looks that follow each other at once, then looks with a yield between, before a wait sleeps.
constexpr int kLooks = 64;
constexpr int kYields = 64;
constexpr auto kShortestSleep = std::chrono::microseconds(20);
constexpr auto kLongestSleep = std::chrono::microseconds(500);

double seconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

void MpiEndpoint::wait(Lock& lock, std::optional<int> from, FunctionRef<bool()> ready,
                       FunctionRef<std::string()> describe) {
  if (ready()) return;
  const auto start = Clock::now();
  StallTimer timer(deadline_, start);
  auto next_look_for_stalls = start + timer.slice();
  own_.kind = Activity::Kind::waits;
  own_.waits_for = from.value_or(Activity::kAnyone);
  for (int look = 0; !ready(); ++look) {
    const bool has_left = from && peer(*from).end;
    read_ends();
    throw_if_failed();
    check(!has_left, "{}, which has left", describe());
    if (const auto now = Clock::now(); now >= next_look_for_stalls) {
      check<Timeout>(!stalled(rank_, timer), "timeout: {}, for {:.3g} s", describe(),
                     seconds(now - start));
      next_look_for_stalls = now + timer.slice();
    }
    rest(lock, look);
  }
  own_.kind = Activity::Kind::works;
  ++own_.waits;
}

// Sleeps before the next look, without the lock. The first looks follow each other at once.
void MpiEndpoint::rest(Lock& lock, int look) {
  if (look < kLooks) return;
  lock.unlock();
  if (look < kLooks + kYields) {
    std::this_thread::yield();
  } else {
    const int doublings = std::min(8, (look - kLooks - kYields) / 8);
    std::this_thread::sleep_for(
        std::min<Clock::duration>(kLongestSleep, kShortestSleep * (1 << doublings)));
  }
  lock.lock();
}

bool MpiEndpoint::stalled(int rank, StallTimer& timer) {
  read_heartbeats();
  activities_.clear();
  for (const auto& each : peers_) {
    activities_.push_back(each.activity);
    if (each.end) activities_.back().kind = Activity::Kind::left;
  }
  return timer.stalled(rank, activities_);
}

void MpiEndpoint::throw_if_failed() {
  check<CalledOff>(!failed_, "worker {} is called off by worker {}", rank_, failed_.value_or(0));
  check<CalledOff>(!interrupted_, "worker {} is interrupted", rank_);
}

// ---- heartbeats ---------------------------------------------------------------------------------

// A process that computes does not look at its messages. Therefore a thread sends a heartbeat to
// every other worker and receives theirs, once a slice of the deadline. Without a deadline there are
// no heartbeats.
void MpiEndpoint::beat() {
  const auto own_clock = clock_of_this_thread();
  Lock lock(mutex_);
  while (true) {
    const bool never = deadline_.count() == 0;
    heart_stops_.wait_for(lock, StallTimer(deadline_).slice(), [&] { return heart_stopped_; });
    if (heart_stopped_) return;
    if (never) continue;
    try {
      read_heartbeats();
      const auto time = processor_time_of_process() - processor_time(own_clock);
      for (int to = 0; to < size_; ++to) {
        if (to == rank_ || peer(to).end) continue;
        Packet packet = recycled(to);
        packet.start({.kind = PacketKind::control},
                     sizeof(std::uint8_t) + sizeof(std::int32_t) + 2 * sizeof(std::uint64_t));
        ByteWriter out(packet.payload());
        out.put(own_.kind);
        out.put(static_cast<std::int32_t>(own_.waits_for));
        out.put(own_.waits);
        out.put(static_cast<std::int64_t>(time.count()));
        send(to, kHeartbeat, std::move(packet));
      }
    } catch (const std::exception&) {
      return;  // the run fails; the worker's own thread says why
    }
  }
}

void MpiEndpoint::read_heartbeats() {
  MPI_Message message;
  MPI_Status status;
  while (arrived(MPI_ANY_SOURCE, kHeartbeat, message, status)) {
    receive(message, status, bytes_);
    ByteReader in(bytes_);
    in.take(std::min(in.left(), Packet::kHeaderBytes));
    auto& activity = peer(status.MPI_SOURCE).activity;
    activity.kind = static_cast<Activity::Kind>(std::min<std::uint8_t>(in.get<std::uint8_t>(), 2));
    activity.waits_for = in.get<std::int32_t>();
    activity.waits = in.get<std::uint64_t>();
    activity.processor_time = std::chrono::nanoseconds(in.get<std::int64_t>());
    check<PacketError>(
        activity.waits_for >= Activity::kAnyone && activity.waits_for < size_,
        "worker {} got a heartbeat from worker {} that waits for worker {}; expected {} to {}",
        rank_, status.MPI_SOURCE, activity.waits_for, Activity::kAnyone, size_ - 1);
  }
}

void MpiEndpoint::stop_heart() {
  if (!heart_.joinable()) return;
  {
    const Lock lock(mutex_);
    heart_stopped_ = true;
  }
  heart_stops_.notify_all();
  heart_.join();
}

}  // namespace terse
