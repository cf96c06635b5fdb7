// Wire attacks: a layer over an attacker's endpoint that spoils what it sends.
//
//   post(packet):   with probability `rate`, and only at step `at` if one is given:
//     bit-flip      flip bits of the payload, seal anew unless checksum=keep
//     drop          forget it
//     duplicate     post it twice
//     delay         wait, then post it
//     replay        post what went to this worker at the same place of the step before, with the
//                   payload of then under the header of now; with checksum=keep as it was
//
// What arrives stays as it is, and what the layer below offers, but for shared memory. Control
// messages are spared: by them the workers agree, and whoever does not answer there is dead rather
// than faulty. Counters count what the worker has sent, not what became of it. The draws are those
// of (seed, worker), in the order of the packets, so a run repeats.
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
  bool others_may_act() const override { return below_.others_may_act(); }
  void add_thread() override { below_.add_thread(); }
  void interrupt() override { below_.interrupt(); }
  VirtualClock* clock() override { return below_.clock(); }

 private:
  // What went to one worker at this step and at the one before.
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

// If some attack on the wire, the worker's messages go through this layer from now on: an honest
// one's too, for all of them send packets then, and nobody reads another's memory instead.
void put_on_faults(Worker& me, const Attack& attack, std::uint64_t seed);

}  // namespace terse
