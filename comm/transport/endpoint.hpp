// What a transport must offer: one worker's end of the connections to all others.
//
// A transport moves packets and waits; it counts nothing, checks nothing and knows no algorithm.
// Messages of one pair of workers arrive in the order in which they were sent. One thread at a time
// may use an endpoint: its worker's, or another in its stead.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "tersegrad/comm/network/virtual_clock.hpp"
#include "tersegrad/optim/packet.hpp"

namespace terse {

class SharedMemory;

// What a receiver is ready to take. Anything else means that two workers disagree.
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

  // A packet to fill and post, in memory that earlier messages have left behind.
  virtual Packet lend(int to) = 0;

  // Sends a complete packet; never waits.
  virtual void post(int to, Packet packet) = 0;

  // Waits for the next packet of `from`. The old memory of `into` goes back to the transport;
  // `expected` serves the error of a wait that fails.
  virtual void take(int from, const Expected& expected, Packet& into) = 0;

  // The same from whoever has sent one, and who that was; those who have are served in turn.
  virtual int take_any(const Expected& expected, Packet& into) = 0;

  // Waits until what was posted needs this worker no more: an exchange that everybody takes part in
  // ends with it, or a large message would stand still while its sender computes.
  virtual void flush() {}

  // Of this worker's waits from here on. (The threads of run_workers keep theirs.)
  virtual void set_deadline(std::chrono::milliseconds /*deadline*/) {}

  // Waits until every worker is here.
  virtual void barrier() = 0;

  // What the workers lay open to each other; nullptr unless they all run at once in one memory.
  virtual SharedMemory* shared_memory() { return nullptr; }

  // Whether another thread may act in the worker's stead while it computes: all workers run at
  // once. UsageError, with the reason, if they do and it may not.
  virtual bool others_may_act() const { return false; }
  // By a second thread that works for this worker: its processor time is the worker's (stall.hpp).
  virtual void add_thread() {}
  // From any thread: the wait of the one that acts throws, and so does every call from now on.
  virtual void interrupt() {}

  // The worker's virtual time; nullptr where the network is a real one.
  virtual VirtualClock* clock() { return nullptr; }
};

}  // namespace terse
