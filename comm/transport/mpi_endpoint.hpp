// A worker that is a process of an MPI job: its messages, its waits, its heartbeats and its end.
//
// mpi_endpoint.cpp has the messages, mpi_waiting.cpp the waits and the heartbeats, and
// mpi_leaving.cpp the end. All functions may be called by any thread; a mutex serialises the calls
// of MPI.
#pragma once

#include <mpi.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tersegrad/comm/transport/ending.hpp"
#include "tersegrad/comm/transport/mpi_transport.hpp"
#include "tersegrad/comm/transport/stall.hpp"

namespace terse {

// Throws Error with MPI's text unless `code`, the result of `call`, is MPI_SUCCESS.
void check_mpi(int code, std::string_view call);

class MpiEndpoint final : public Endpoint {
 public:
  MpiEndpoint(const MpiSession& session, std::chrono::milliseconds deadline);
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
  bool others_may_act() const override;
  void interrupt() override { interrupted_ = true; }
  void barrier() override;

  // The last call. Tells all other workers how this worker has ended, and receives all their
  // messages until it knows how each of them has ended. Returns false if workers that have not
  // ended made no progress for a whole deadline.
  bool leave(Ending own);
  // How the workers have ended, by rank; nullopt for those that have not.
  std::vector<std::optional<Ending>> endings() const;

 private:
  using Lock = std::unique_lock<std::mutex>;
  using Clock = std::chrono::steady_clock;
  enum Tag : int { kPacket, kBarrier, kHeartbeat, kEnd };

  struct Peer {
    std::optional<Ending> end;
    Activity activity;                  // as its last heartbeat reported
    std::uint64_t sent = 0, taken = 0;  // messages to it and from it, ends not counted
    std::uint64_t sent_by_it = 0;       // messages to this worker; its end reports the number
    std::vector<Packet> spare;          // memory of delivered messages, to be used again
  };
  struct Sending {
    MPI_Request request;
    int to;
    Packet packet;
  };

  Peer& peer(int rank) { return peers_[static_cast<std::size_t>(rank)]; }

  // The caller of these functions holds the mutex. Those that get the lock release it while they
  // sleep.
  Packet spare(int to);
  Packet recycled(int to);
  void send(int to, Tag tag, Packet packet);
  // Receives a packet from `source`, a rank or MPI_ANY_SOURCE, and returns the sender's rank.
  // `from` is the rank for `wait`, and `whom` the sender in an error's words.
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
  // Waits until ready(), which also makes messages progress. Throws Error if worker `from` leaves
  // before, CalledOff if any worker fails, and Timeout if the wait has stalled; the text begins with
  // describe().
  void wait(Lock& lock, std::optional<int> from, FunctionRef<bool()> ready,
            FunctionRef<std::string()> describe);
  void read_heartbeats();
  bool stalled(int rank, StallTimer& timer);

  void beat();  // the body of the thread that sends heartbeats
  void stop_heart();

  const int rank_, size_;
  const bool serves_threads_;
  std::atomic<bool> interrupted_ = false;

  std::mutex mutex_;  // guards every call of MPI and the fields below
  std::chrono::milliseconds deadline_;
  MPI_Comm comm_ = MPI_COMM_NULL;  // MPI_Finalize frees it, when all messages have arrived
  std::vector<Peer> peers_;
  std::optional<int> failed_;  // a worker whose body threw
  std::vector<Sending> sending_;
  ByteVector bytes_;                  // of an end, of a heartbeat, or of a message that is dropped
  Activity own_;                      // its processor time is not set
  std::vector<Activity> activities_;  // scratch of stalled()

  std::condition_variable heart_stops_;
  bool heart_stopped_ = false;
  std::thread heart_;
};

}  // namespace terse
