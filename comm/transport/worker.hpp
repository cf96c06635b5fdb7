// A worker: one of W equal partners in a training run, and all that an algorithm sees of the
// others.
//
// It puts packets on the wire and takes them off: it seals, counts, verifies and compares with what
// is expected. Moving and waiting is its Endpoint's business, so every transport behaves alike.
//
// Thread contract: a Worker belongs to one thread, which may share it with a second one
// (overlap.hpp): only one of them sends, receives or waits at a time, and each times its own
// phases. Every wait has the run's deadline; when a worker fails, the waits of all others throw.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "tersegrad/comm/transport/accounting.hpp"
#include "tersegrad/comm/transport/endpoint.hpp"
#include "tersegrad/comm/transport/shared_memory.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/optim/packet.hpp"

namespace terse {

// How far a receiver looks into a packet. The checksum is one more pass over the payload on either
// side: a good part of a ring all-reduce of 45 MB between threads, nothing beside a real network.
enum class Verify : std::uint8_t {
  checksum,
  by_transport,  // it verifies the checksum before a packet gets here
  header,        // between threads, where memory loses no bits: there is no checksum
};

class Worker {
 public:
  explicit Worker(Endpoint& endpoint, Verify verify = Verify::checksum)
      : endpoint_(&endpoint), verify_(verify), clock_(endpoint.clock()) {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  int rank() const { return endpoint_->rank(); }
  int size() const { return endpoint_->size(); }
  int next() const { return (rank() + 1) % size(); }  // the neighbours in the ring
  int previous() const { return (rank() + size() - 1) % size(); }

  // Sends a copy of the packet. Never waits. One's own share does not travel: `to` is another.
  void send(int to, const Packet& packet);
  // The same for a payload that lies somewhere else.
  void send(int to, const PacketHeader& header, std::span<const std::byte> payload);
  // The same for a payload that `fill` writes where it will travel: no copy besides.
  void send(int to, const PacketHeader& header, std::size_t payload_bytes,
            FunctionRef<void(Packet&)> fill);

  // Waits for the next packet of `from`. Its memory changes places with that of `into`, so a loop
  // that keeps `into` allocates nothing. PacketError if the packet is broken or not the expected.
  void recv(int from, const Expected& expected, Packet& into);
  Packet recv(int from, const Expected& expected);
  // The same from whoever has sent a packet, and who that was. What is expected of a step depends
  // on the sender: `step_of` says it.
  int recv_any(Expected expected, FunctionRef<std::uint64_t(int from)> step_of, Packet& into);

  // From now on messages go through this layer, which lies over endpoint(): faults, for instance.
  void wrap_endpoint(std::unique_ptr<Endpoint> layer) {
    layers_.push_back(std::move(layer));
    endpoint_ = layers_.back().get();
  }
  Endpoint& endpoint() { return *endpoint_; }

  void flush() { endpoint_->flush(); }
  void set_deadline(std::chrono::milliseconds deadline) { endpoint_->set_deadline(deadline); }
  void barrier() {
    const Carried carried(virtual_clock());
    begin_exchange();
    endpoint_->barrier();
    end_exchange();
  }

  // One-sided access, where all workers run at once in one memory; elsewhere an algorithm sends
  // messages, and so it asks first.
  bool shares_memory() { return endpoint_->shared_memory() != nullptr; }
  // All together: every worker's `values`, and its `results` of the same size, are open to all
  // while each runs its `body`; nobody is back before all are done. They may be the same memory.
  // `expected` holds for the memory of every worker, as for a packet.
  void expose(std::span<const std::byte> values, std::span<std::byte> results,
              const Expected& expected, FunctionRef<void()> body);
  // Within the body: so many bytes of a peer's memory from `first` on. Each call counts like a
  // message, of whom it reads or to whom it writes. That nobody reads what another is writing is
  // the algorithm's business.
  std::span<const std::byte> read_values(int peer, std::size_t first, std::size_t bytes);
  std::span<const std::byte> read_results(int peer, std::size_t first, std::size_t bytes);
  std::span<std::byte> write_results(int peer, std::size_t first, std::size_t bytes);

  // Around what all workers do together. Who fails in between, and does not get to the end, leaves
  // the others in the middle of it: nobody can go on without it then (failure.hpp).
  void begin_exchange() { ++exchanges_; }
  void end_exchange() { --exchanges_; }
  bool in_exchange() const { return exchanges_ > 0; }

  // Snapshots subtract: `me.counters() - before`.
  const Counters& counters() const { return counters_; }
  PhaseTimes times() const { return clock_.times() + second_clock_.times(); }  // of both threads
  const PhaseTimes& virtual_times() const { return clock_.virtual_times(); }
  PhaseClock::Scope time(Phase phase) {
    return (std::this_thread::get_id() == second_ ? second_clock_ : clock_).time(phase);
  }
  // All from zero again: after the first step, which pays for memory and threads.
  void reset_accounts();

  // A second thread may act in this worker's stead; see Endpoint.
  bool others_may_act() const { return endpoint_->others_may_act(); }
  void share_with(std::thread::id second) { second_ = second; }
  void add_thread() { endpoint_->add_thread(); }  // by the second thread itself
  void interrupt() { endpoint_->interrupt(); }

  // This worker's time in a modelled network (virtual_clock.hpp); nullptr without one.
  VirtualClock* virtual_clock() { return endpoint_->clock(); }

 private:
  Packet start(int to, const PacketHeader& header, std::size_t payload_bytes);
  void post(int to, Packet packet, PacketKind kind);
  void admit(int from, const Expected& expected, Packet& packet);
  void count_sent(const Packet& packet, PacketKind kind);
  void check_windows(const Expected& expected);
  SharedMemory::Window& window(int peer, std::size_t first, std::size_t bytes);
  void count_read(SharedMemory::Window& theirs, std::size_t bytes);

  Endpoint* endpoint_;  // the outermost of the layers
  std::vector<std::unique_ptr<Endpoint>> layers_;
  Verify verify_;
  Counters counters_;
  PhaseClock clock_, second_clock_;
  std::thread::id second_{};
  int exchanges_ = 0;  // that have begun and not ended, one inside the other
};

// Throws PacketError unless the packet that `receiver` got from `sender` is the expected one; the
// text names both workers and both values.
void check_expected(const Packet& packet, int receiver, int sender, const Expected& expected);

}  // namespace terse
