// A group of some of the workers, with new ranks: a layer over an endpoint.
//
//   rank r of the group   =   rank ranks[r] of the layer below, in ascending order
//   barrier               =   for k = 1, 2, 4, … < W:  send to the k-th rank after this one,
//                             receive from the k-th before it (a dissemination barrier)
//
// The barrier of the layer below would wait for workers that are not in the group. This one sends
// ceil(log2 W) control messages per worker, which take time in a modelled network.
#pragma once

#include <vector>

#include "tersegrad/comm/transport/endpoint.hpp"
#include "tersegrad/comm/transport/worker.hpp"

namespace terse {

class SubgroupEndpoint final : public Endpoint {
 public:
  // `ranks` are in ascending order and include the worker itself.
  SubgroupEndpoint(Endpoint& below, std::vector<int> ranks);

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(ranks_.size()); }
  Packet lend(int to) override { return below_.lend(below(to)); }
  void post(int to, Packet packet) override { below_.post(below(to), std::move(packet)); }
  void take(int from, const Expected& expected, Packet& into) override {
    below_.take(below(from), expected, into);
  }
  int take_any(const Expected& expected, Packet& into) override;
  void flush() override { below_.flush(); }
  void set_deadline(std::chrono::milliseconds deadline) override { below_.set_deadline(deadline); }
  void barrier() override;
  VirtualClock* clock() override { return below_.clock(); }
  void serialize(Archive& archive) override { below_.serialize(archive); }

 private:
  int below(int rank) const { return ranks_[static_cast<std::size_t>(rank)]; }

  Endpoint& below_;
  std::vector<int> ranks_;
  int rank_ = 0;
  Packet in_;
};

// Restricts the run to these workers, given by their present ranks. All of them must call it with
// the same ranks.
void keep_only(Worker& me, std::vector<int> ranks);

}  // namespace terse
