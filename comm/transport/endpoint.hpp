// The interface of a transport: one worker's end of the connections to all others.
//
// A transport moves packets and waits. It does not count, check, or know algorithms. The messages
// of one pair of workers arrive in the order in which they were sent. One thread at a time may use
// an endpoint: its worker's, or another one that acts for the worker.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "tersegrad/comm/network/virtual_clock.hpp"
#include "tersegrad/optim/packet.hpp"

namespace terse {

class Archive;
class SharedMemory;

// The packet that a receiver expects. Any other packet means that two workers disagree.
struct Expected {
  PacketKind kind = PacketKind::up;
  int phase = 0;
  std::uint64_t step = 0;  // compared by its low 32 bits, as the wire has it
  std::optional<std::size_t> payload_bytes = std::nullopt;  // any size
};

class Endpoint {
 public:
  virtual ~Endpoint() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Returns a packet for the caller to fill and post. Its memory was used by an earlier message to
  // `to`, if there is one, so the steady state allocates nothing.
  virtual Packet lend(int to) = 0;

  // Sends a complete packet; never waits.
  virtual void post(int to, Packet packet) = 0;

  // Waits for the next packet of `from`. The old memory of `into` returns to the transport.
  // `expected` is used in the error of a wait that fails.
  virtual void take(int from, const Expected& expected, Packet& into) = 0;

  // Like `take`, for a packet of any worker; returns the sender. Senders are served in turn.
  virtual int take_any(const Expected& expected, Packet& into) = 0;

  // Waits until posted messages no longer need this worker. Topology::run flushes after its last
  // phase. Otherwise a large message would make no progress while its sender computes.
  virtual void flush() {}

  // Sets the deadline of later waits of this worker. (No effect on the threads of run_workers.)
  virtual void set_deadline(std::chrono::milliseconds /*deadline*/) {}

  // Waits until every worker has called barrier().
  virtual void barrier() = 0;
  // In virtual time: waits until every worker has called rejoin(), and leaves their clocks as they
  // are. Workers whose clocks were set back must not go on before all others have set theirs.
  virtual void rejoin() {}

  // The memory that workers open to each other; nullptr unless all run at once in one process.
  virtual SharedMemory* shared_memory() { return nullptr; }

  // Whether another thread may act for the worker while it computes; false if workers take turns.
  // UsageError, with the reason, if workers run at once and the transport does not allow it.
  virtual bool others_may_act() const { return false; }
  // A second thread that works for this worker calls it: the processor time of that thread is then
  // the worker's (stall.hpp).
  virtual void add_thread() {}
  // Any thread may call it: the present wait of this worker throws, and so does every later call.
  virtual void interrupt() {}

  // The worker's virtual time; nullptr if the network is a real one.
  virtual VirtualClock* clock() { return nullptr; }

  // What later messages depend on: the worker's virtual time and NIC, and the state of injected
  // faults. Called between two steps, when the worker has taken all messages of the earlier one.
  // Messages of the later one may have come already; it is assumed that they will be sent again.
  virtual void serialize(Archive& /*archive*/) {}
};

}  // namespace terse
