// A worker: one of W equal participants of a training run, and the interface through which an
// algorithm communicates with the others.
//
// A Worker sends and receives packets: it writes and verifies their checksums (Verify), counts
// them, and compares their headers with what is expected. Its Endpoint moves bytes and waits, so
// the behaviour is the same over every transport.
//
// Thread contract: a Worker belongs to one thread, which may share it with a second one
// (overlap.hpp). Only one of them sends, receives or waits at a time, and each times its own parts
// of a step. Every wait has the run's deadline. When a worker fails, the waits of all others throw.
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

// What a receiver verifies of a packet. A checksum takes a pass over the payload on both sides: a
// considerable part of a ring all-reduce of 45 MB between threads, negligible on a real network.
enum class Verify : std::uint8_t {
  checksum,
  by_transport,  // the transport has verified the checksum
  header,        // no checksum: between threads no bits are lost
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

  // Sends a copy of the packet. Never waits. `to` is another worker.
  void send(int to, const Packet& packet);
  // The same for a payload in other memory.
  void send(int to, const PacketHeader& header, std::span<const std::byte> payload);
  // The same for a payload that `fill` writes to the packet that is sent, without a copy.
  void send(int to, const PacketHeader& header, std::size_t payload_bytes,
            FunctionRef<void(Packet&)> fill);

  // Waits for the next packet of `from`. Its memory is exchanged with that of `into`, so a loop
  // that keeps `into` allocates nothing. PacketError if the packet is damaged or not the expected
  // one.
  void recv(int from, const Expected& expected, Packet& into);
  Packet recv(int from, const Expected& expected);
  // The same for the next packet of any worker; returns the sender. step_of(sender) is the expected
  // step.
  int recv_any(Expected expected, FunctionRef<std::uint64_t(int from)> step_of, Packet& into);

  // From now on messages pass through this layer over endpoint(), which may inject faults.
  void wrap_endpoint(std::unique_ptr<Endpoint> layer) {
    layers_.push_back(std::move(layer));
    endpoint_ = layers_.back().get();
  }
  bool endpoint_is_wrapped() const { return !layers_.empty(); }
  Endpoint& endpoint() { return *endpoint_; }

  void flush() { endpoint_->flush(); }
  void set_deadline(std::chrono::milliseconds deadline) { endpoint_->set_deadline(deadline); }
  void barrier() {
    const PauseLocalWork pause(virtual_clock());
    begin_exchange();
    endpoint_->barrier();
    end_exchange();
  }

  // One-sided access. Only where all workers run at once in one memory; otherwise an algorithm has
  // to send messages.
  bool shares_memory() { return endpoint_->shared_memory() != nullptr; }
  // Collective: while all workers run their `body`, the `values` and `results` of every worker are
  // open to all. Both have the same size and may be the same memory. Returns after all bodies have
  // returned. `expected` describes the memory of every worker, like the header of a packet.
  void expose(std::span<const std::byte> values, std::span<std::byte> results,
              const Expected& expected, FunctionRef<void()> body);
  // Within the body: `bytes` bytes of a peer's memory, from byte `first` on. Each call counts like
  // a message from or to the peer. The algorithm must not read what another worker is writing.
  std::span<const std::byte> read_values(int peer, std::size_t first, std::size_t bytes);
  std::span<const std::byte> read_results(int peer, std::size_t first, std::size_t bytes);
  std::span<std::byte> write_results(int peer, std::size_t first, std::size_t bytes);

  // Enclose a collective operation. If a worker fails inside, the others cannot continue without it
  // (failure.hpp).
  void begin_exchange() { ++exchanges_; }
  void end_exchange() { --exchanges_; }
  bool in_exchange() const { return exchanges_ > 0; }

  // Snapshots subtract: `me.counters() - before`.
  const Counters& counters() const { return counters_; }
  PartTimes times() const { return clock_.times() + second_clock_.times(); }  // of both threads
  const PartTimes& virtual_times() const { return clock_.virtual_times(); }
  PartClock::Scope time(Part part) { return clock_of_thread().time(part); }
  // For measurements inside a part: they take no time of the run, real or virtual.
  PartClock::Scope pause_time() { return clock_of_thread().pause(); }
  // Resets counters and times. Call it after a warm-up, which allocates memory and starts threads.
  void reset_accounts();

  // Counters, times and what later messages depend on; see Endpoint.
  void serialize(Archive& archive);

  // Whether a second thread may act for this worker; see Endpoint.
  bool others_may_act() const { return endpoint_->others_may_act(); }
  void share_with(std::thread::id second) { second_ = second; }
  void add_thread() { endpoint_->add_thread(); }  // by the second thread itself
  void interrupt() { endpoint_->interrupt(); }

  // Runs `body` on all workers together. It may send control messages, but takes no virtual time.
  void without_time(FunctionRef<void()> body);
  // This worker's time in a modelled network (virtual_clock.hpp); nullptr without one.
  VirtualClock* virtual_clock() { return endpoint_->clock(); }

 private:
  PartClock& clock_of_thread() {
    return std::this_thread::get_id() == second_ ? second_clock_ : clock_;
  }
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
  PartClock clock_, second_clock_;
  std::thread::id second_{};
  int exchanges_ = 0;  // that have begun and not ended, one inside the other
};

// Throws PacketError unless the packet that `receiver` received from `sender` is the expected one.
// The text names both workers and both values.
void check_expected(const Packet& packet, int receiver, int sender, const Expected& expected);

}  // namespace terse
