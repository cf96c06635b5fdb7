#include "tersegrad/comm/transport/mpi_transport.hpp"

#include <fmt/core.h>
#include <mpi.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tersegrad/comm/transport/ending.hpp"
#include "tersegrad/comm/transport/stall.hpp"
#include "tersegrad/core/bytes.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/thread.hpp"

namespace terse {
namespace {

using Clock = std::chrono::steady_clock;

// Looks that follow each other at once, then looks with a yield between, before a wait sleeps.
constexpr int kLooks = 64;
constexpr int kYields = 64;
constexpr auto kShortestSleep = std::chrono::microseconds(20);
constexpr auto kLongestSleep = std::chrono::microseconds(500);

enum Tag : int { kPacket, kBarrier, kHeartbeat, kEnd };

void check_mpi(int code, std::string_view call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw Error(
      fmt::format("{}: {}", call, std::string_view(text, static_cast<std::size_t>(length))));
}

double seconds(Clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

class MpiEndpoint final : public Endpoint {
 public:
  MpiEndpoint(const MpiSession& session, std::chrono::milliseconds deadline)
      : rank_(session.rank()),
        size_(session.size()),
        serves_threads_(session.serves_threads()),
        deadline_(deadline),
        peers_(static_cast<std::size_t>(session.size())) {
    check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &comm_), "MPI_Comm_dup");
    check_mpi(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    if (serves_threads_ && size_ > 1) heart_ = start_thread("heartbeats", [this] { beat(); });
  }
  ~MpiEndpoint() override { stop_heart(); }
  MpiEndpoint(const MpiEndpoint&) = delete;
  MpiEndpoint& operator=(const MpiEndpoint&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  Packet lend(int to) override;
  void post(int to, Packet packet) override {
    const Lock lock(mutex_);
    send(to, kPacket, std::move(packet));
  }
  void take(int from, const Expected& expected, Packet& into) override;
  int take_any(const Expected& expected, Packet& into) override;
  void flush() override;
  void set_deadline(std::chrono::milliseconds deadline) override {
    const Lock lock(mutex_);
    deadline_ = deadline;
  }
  bool others_may_act() const override {
    check<UsageError>(serves_threads_,
                      "buckets: this MPI serves one thread of a process alone "
                      "(MPI_THREAD_SERIALIZED is wanted); leave the buckets out");
    return true;
  }
  void interrupt() override { interrupted_ = true; }
  void barrier() override;

  // The last call: tells all others how this worker ended, learns it of them, and takes in what
  // they have sent before. False: those that have not come back make no progress for a deadline.
  bool leave(Ending own);
  // How they ended, by rank; none for those that have not come back.
  std::vector<std::optional<Ending>> endings() const;

 private:
  using Lock = std::unique_lock<std::mutex>;

  struct Peer {
    std::optional<Ending> end;
    Activity activity;                  // as its last heartbeat says
    std::uint64_t sent = 0, taken = 0;  // messages to and from it, but for ends
    std::uint64_t sent_by_it = 0;       // known with its end
    std::vector<Packet> spare;          // memory of messages to it that have gone
  };
  struct Sending {
    MPI_Request request;
    int to;
    Packet packet;
  };

  Peer& peer(int rank) { return peers_[static_cast<std::size_t>(rank)]; }

  // All of these are called with the mutex held; those that take the lock release it to rest.
  Packet spare(int to);
  Packet recycled(int to);
  void send(int to, Tag tag, Packet packet);
  // `source` as MPI says it, `from` as `wait` does, and the same in words; returns who it was.
  int take_from(Lock& lock, int source, std::optional<int> from, const std::string& whom,
                const Expected& expected, Packet& into);
  void reclaim();
  bool arrived(int from, int tag, MPI_Message& message, MPI_Status& status);
  void receive(MPI_Message& message, const MPI_Status& status, ByteVector& bytes);
  void read_end(MPI_Message& message, const MPI_Status& status);
  void read_ends();
  void throw_if_failed();
  bool all_over();
  static void rest(Lock& lock, int look);
  template <class Ready, class Describe>
  void wait(Lock& lock, std::optional<int> from, Ready ready, Describe describe);
  void read_heartbeats();
  bool stalled(int rank, StallTimer& timer);

  // Of the heart's thread.
  void beat();
  void stop_heart();

  const int rank_, size_;
  const bool serves_threads_;
  std::atomic<bool> interrupted_ = false;

  std::mutex mutex_;  // guards all below, and every call of MPI
  std::chrono::milliseconds deadline_;
  MPI_Comm comm_ = MPI_COMM_NULL;  // freed by MPI_Finalize, when no message is under way any more
  std::vector<Peer> peers_;
  std::optional<int> failed_;  // a worker whose body threw
  std::vector<Sending> sending_;
  ByteVector bytes_;                  // of an end, a heartbeat, or of what nobody wants any more
  Activity own_;                      // processor time apart
  std::vector<Activity> activities_;  // scratch of stalled()

  std::condition_variable heart_stops_;
  bool heart_stopped_ = false;
  std::thread heart_;
};

// ---- sending ------------------------------------------------------------------------------------

Packet MpiEndpoint::lend(int to) {
  const Lock lock(mutex_);
  return spare(to);
}

Packet MpiEndpoint::spare(int to) {
  read_ends();
  throw_if_failed();
  return recycled(to);
}

Packet MpiEndpoint::recycled(int to) {
  reclaim();
  auto& spare = peer(to).spare;
  if (spare.empty()) return {};
  Packet packet = std::move(spare.back());
  spare.pop_back();
  return packet;
}

void MpiEndpoint::send(int to, Tag tag, Packet packet) {
  check(packet.size_bytes() <= INT_MAX,
        "worker {} has a packet of {} bytes for worker {}, and a message of MPI has at most {}; "
        "take a compressor that says less, or cut the model over more servers",
        rank_, packet.size_bytes(), to, INT_MAX);
  sending_.push_back({MPI_REQUEST_NULL, to, std::move(packet)});
  Sending& last = sending_.back();
  const auto bytes = last.packet.bytes();
  check_mpi(MPI_Isend(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, to, tag, comm_,
                      &last.request),
            "MPI_Isend");
  ++peer(to).sent;
}

// Takes back the memory of messages that have gone.
void MpiEndpoint::reclaim() {
  for (std::size_t i = 0; i < sending_.size();) {
    int gone = 0;
    check_mpi(MPI_Test(&sending_[i].request, &gone, MPI_STATUS_IGNORE), "MPI_Test");
    if (gone == 0) {
      ++i;
      continue;
    }
    peer(sending_[i].to).spare.push_back(std::move(sending_[i].packet));
    if (i + 1 < sending_.size()) sending_[i] = std::move(sending_.back());
    sending_.pop_back();
  }
}

void MpiEndpoint::flush() {
  Lock lock(mutex_);
  wait(
      lock, std::nullopt,
      [&] {
        reclaim();
        return sending_.empty();
      },
      [&] {
        return fmt::format("worker {} waits until worker {} takes its message", rank_,
                           sending_.front().to);
      });
}

// ---- receiving ----------------------------------------------------------------------------------

bool MpiEndpoint::arrived(int from, int tag, MPI_Message& message, MPI_Status& status) {
  int flag = 0;
  check_mpi(MPI_Improbe(from, tag, comm_, &flag, &message, &status), "MPI_Improbe");
  return flag != 0;
}

void MpiEndpoint::receive(MPI_Message& message, const MPI_Status& status, ByteVector& bytes) {
  MPI_Count count = 0;
  check_mpi(MPI_Get_elements_x(&status, MPI_BYTE, &count), "MPI_Get_elements_x");
  check<PacketError>(count >= 0 && count <= INT_MAX,
                     "worker {} got a message of {} bytes from worker {}; at most {} are possible",
                     rank_, count, status.MPI_SOURCE, INT_MAX);
  bytes.resize(static_cast<std::size_t>(count));
  check_mpi(MPI_Mrecv(bytes.data(), static_cast<int>(count), MPI_BYTE, &message, MPI_STATUS_IGNORE),
            "MPI_Mrecv");
  if (status.MPI_TAG != kEnd) ++peer(status.MPI_SOURCE).taken;
}

void MpiEndpoint::take(int from, const Expected& expected, Packet& into) {
  Lock lock(mutex_);
  take_from(lock, from, from, fmt::format("worker {}", from), expected, into);
}

int MpiEndpoint::take_any(const Expected& expected, Packet& into) {
  Lock lock(mutex_);
  return take_from(lock, MPI_ANY_SOURCE, std::nullopt, "any worker", expected, into);
}

int MpiEndpoint::take_from(Lock& lock, int source, std::optional<int> from, const std::string& whom,
                           const Expected& expected, Packet& into) {
  MPI_Message message;
  MPI_Status status;
  wait(
      lock, from, [&] { return arrived(source, kPacket, message, status); },
      [&] {
        return fmt::format("worker {} waits for {} (packet {} of phase {}, step {})", rank_, whom,
                           to_string(expected.kind), expected.phase, expected.step);
      });
  ByteVector bytes = into.release();
  into.start({}, 0);
  receive(message, status, bytes);
  try {
    into = Packet::parse(std::move(bytes));
  } catch (const PacketError& e) {
    throw PacketError(fmt::format("worker {} got a broken packet from worker {}: {}", rank_,
                                  status.MPI_SOURCE, e.what()));
  }
  return status.MPI_SOURCE;
}

// Dissemination: after hop k a worker has heard, at first or second hand, of the 2^k before it.
void MpiEndpoint::barrier() {
  Lock lock(mutex_);
  for (int hop = 1; hop < size_; hop *= 2) {
    const int to = (rank_ + hop) % size_, from = (rank_ + size_ - hop) % size_;
    send(to, kBarrier, spare(to));
    MPI_Message message;
    MPI_Status status;
    wait(
        lock, from, [&] { return arrived(from, kBarrier, message, status); },
        [&] { return fmt::format("worker {} waits at the barrier for worker {}", rank_, from); });
    receive(message, status, bytes_);
  }
}

// ---- waiting ------------------------------------------------------------------------------------

// Until ready(), which also moves messages on; `from` has not left before.
template <class Ready, class Describe>
void MpiEndpoint::wait(Lock& lock, std::optional<int> from, Ready ready, Describe describe) {
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

// The first looks follow each other at once.
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

// A heartbeat on the wire: u8 kind, i32 the rank that is waited for, u64 waits, i64 nanoseconds of
// processor time. A process that computes does not look at its messages, so a thread of its own
// sends one to every other worker, and takes in theirs, as often as waits look for stalls. Without
// a deadline there are none.
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
    check<PacketError>(activity.waits_for >= Activity::kAnyone && activity.waits_for < size_,
                       "worker {} got a heartbeat from worker {} that waits for worker {}", rank_,
                       status.MPI_SOURCE, activity.waits_for);
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

// ---- the end ------------------------------------------------------------------------------------

// An end on the wire: u8 kind, u64 messages that were sent to the receiver before, text.
constexpr std::size_t kLongestText = 4000;

void MpiEndpoint::read_end(MPI_Message& message, const MPI_Status& status) {
  receive(message, status, bytes_);
  ByteReader in(bytes_);
  const auto kind = in.get<std::uint8_t>();
  Peer& from = peer(status.MPI_SOURCE);
  from.sent_by_it = in.get<std::uint64_t>();
  const auto text = in.take(std::min(in.left(), kLongestText));
  from.end = {static_cast<Ending::Kind>(std::min<std::uint8_t>(kind, 4)),
              {reinterpret_cast<const char*>(text.data()), text.size()}};
  if (from.end->kind != Ending::Kind::done) failed_ = status.MPI_SOURCE;
}

void MpiEndpoint::read_ends() {
  MPI_Message message;
  MPI_Status status;
  while (arrived(MPI_ANY_SOURCE, kEnd, message, status)) read_end(message, status);
}

// Every other worker has left, and nothing is under way from or to it.
bool MpiEndpoint::all_over() {
  reclaim();
  return sending_.empty() && std::ranges::all_of(peers_, [](const Peer& each) {
           return each.end && each.taken == each.sent_by_it;
         });
}

bool MpiEndpoint::leave(Ending own) {
  stop_heart();  // the end says how many messages were sent before it
  Lock lock(mutex_);
  own.text.resize(std::min(own.text.size(), kLongestText));
  std::vector<ByteVector> messages(peers_.size());
  std::vector<MPI_Request> requests(peers_.size(), MPI_REQUEST_NULL);
  for (int other = 0; other < size_; ++other) {
    if (other == rank_) continue;
    auto& bytes = messages[static_cast<std::size_t>(other)];
    bytes.resize(1 + sizeof(std::uint64_t) + own.text.size());
    ByteWriter out(bytes);
    out.put(own.kind);
    out.put(peer(other).sent);
    out.put(std::as_bytes(std::span<const char>(own.text)));
    check_mpi(MPI_Isend(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, other, kEnd, comm_,
                        &requests[static_cast<std::size_t>(other)]),
              "MPI_Isend");
  }
  peer(rank_).end = std::move(own);

  StallTimer timer(deadline_);
  auto next_look_for_stalls = Clock::now() + timer.slice();
  const auto gone = [&] {
    int all = 0;
    check_mpi(MPI_Testall(size_, requests.data(), &all, MPI_STATUSES_IGNORE), "MPI_Testall");
    return all != 0;
  };
  for (int look = 0; !(gone() && all_over()); ++look) {
    if (const auto now = Clock::now(); now >= next_look_for_stalls) {
      if (stalled(Activity::kAnyone, timer)) return false;
      next_look_for_stalls = now + timer.slice();
    }
    MPI_Message message;
    MPI_Status status;
    while (arrived(MPI_ANY_SOURCE, MPI_ANY_TAG, message, status)) {
      if (status.MPI_TAG == kEnd) {
        read_end(message, status);
      } else {
        receive(message, status, bytes_);
      }
    }
    rest(lock, look);
  }
  return true;
}

std::vector<std::optional<Ending>> MpiEndpoint::endings() const {
  std::vector<std::optional<Ending>> all;
  for (const auto& each : peers_) all.push_back(each.end);
  return all;
}

[[noreturn]] void abort_all(Endings endings, int rank, std::chrono::milliseconds deadline) {
  const auto present = [](const auto& ending) { return ending.has_value(); };
  const bool speaks = std::ranges::find_if(endings, present) - endings.begin() == rank;
  if (speaks) {
    std::fputs((stuck_text(endings, rank, deadline) + "\n").c_str(), stderr);
    std::fflush(stderr);
  } else {
    std::this_thread::sleep_for(std::chrono::seconds(2));  // who speaks ends this process, too
  }
  MPI_Abort(MPI_COMM_WORLD, 1);
  std::abort();
}

}  // namespace

MpiSession::MpiSession() {
  int given = 0;
  check_mpi(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &given), "MPI_Init_thread");
  serves_threads_ = given >= MPI_THREAD_SERIALIZED;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
}

MpiSession::~MpiSession() {
  MPI_Finalize();
}

void run_mpi_workers(const MpiSession& session, const MpiOptions& options,
                     FunctionRef<void(Worker&)> body) {
  MpiEndpoint endpoint(session, options.deadline);
  Ending own;
  try {
    Worker me(endpoint, Verify::by_transport);
    Arena arena;
    arena.run([&] { body(me); });
  } catch (...) {
    own = Ending::of_exception();
  }
  bool together = false;
  try {
    together = endpoint.leave(std::move(own));
  } catch (const Error&) {  // MPI itself fails, or a peer that is none of ours: no way to go on
  }
  if (!together) abort_all(endpoint.endings(), session.rank(), options.deadline);
  throw_summary(endpoint.endings());
}

}  // namespace terse
