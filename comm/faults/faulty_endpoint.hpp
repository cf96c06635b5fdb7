// Wire attacks: a layer over an attacker's endpoint that corrupts the packets that it sends.
//
//   post(packet):   with probability `rate`, and only at step `at` if one is given:
//     bit-flip      flip bits of the payload; compute the checksum again unless checksum=keep
//     drop          do not post it
//     duplicate     post it twice
//     delay         wait, then post it
//     replay        post the payload that was sent to this worker at the same place of the previous
//                   step, under this step's header; with checksum=keep under its old header
//
// Received packets are not changed, and all other functions are those of the layer below, except
// that there is no shared memory. Control messages are not attacked: the workers agree by them, and
// a worker that does not send one counts as dead. Worker's counters count the packets that the
// worker sends, before the attack. Draws come from the stream of (seed, worker), in the order of
// the packets, so a run repeats.
#pragma once

#include <cstdint>
#include <vector>

#include "tersegrad/comm/faults/attack.hpp"
#include "tersegrad/comm/transport/endpoint.hpp"
#include "tersegrad/comm/transport/worker.hpp"
#include "tersegrad/core/random.hpp"

namespace terse {

class FaultyEndpoint final : public Endpoint {
 public:
  FaultyEndpoint(Endpoint& below, const Attack& attack, std::uint64_t seed);

  int rank() const override { return below_.rank(); }
  int size() const override { return below_.size(); }
  Packet lend(int to) override { return below_.lend(to); }
  void post(int to, Packet packet) override;
  void take(int from, const Expected& expected, Packet& into) override {
    below_.take(from, expected, into);
  }
  int take_any(const Expected& expected, Packet& into) override {
    return below_.take_any(expected, into);
  }
  void flush() override { below_.flush(); }
  void set_deadline(std::chrono::milliseconds deadline) override { below_.set_deadline(deadline); }
  void barrier() override { below_.barrier(); }
  void rejoin() override { below_.rejoin(); }
  bool others_may_act() const override { return below_.others_may_act(); }
  void add_thread() override { below_.add_thread(); }
  void interrupt() override { below_.interrupt(); }
  VirtualClock* clock() override { return below_.clock(); }
  void serialize(Archive& archive) override;

 private:
  // The packets that were sent to one worker at this step and at the previous one.
  struct Sent {
    std::uint32_t step = 0;
    std::vector<Packet> now, before;
  };

  void flip_bits(Packet& packet);
  void wait();
  void replay(int to, Packet& packet, bool hit);

  Endpoint& below_;
  Attack attack_;
  Philox random_;
  std::vector<Sent> sent_;  // replay: by receiver
};

// If `attack` is a wire attack, puts this layer over the worker's endpoint. Honest workers get the
// layer too, with no attack: it hides shared memory, so all workers exchange packets. Throws
// UsageError if the attack has more attackers than there are workers.
void install_faults(Worker& me, const Attack& attack, std::uint64_t seed);

}  // namespace terse
