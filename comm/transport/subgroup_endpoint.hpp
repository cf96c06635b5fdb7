// Some of the workers as a group of their own, with new ranks: a layer over an endpoint.
//
//   rank r of the group   =   rank ranks[r] of the layer below, in ascending order
//   barrier               =   in hop k = 1, 2, 4, … < W:  tell the k-th after me, hear the k-th
//                             before me; then each has heard, at first or second hand, of all
//
// Below, a barrier would wait for those who are not in the group. So it is made of messages here:
// ceil(log2 W) control messages a worker, which in a modelled network take their time.
#pragma once

#include <vector>

#include "tersegrad/comm/transport/endpoint.hpp"
#include "tersegrad/comm/transport/worker.hpp"

namespace terse {

class SubgroupEndpoint final : public Endpoint {
 public:
  // `ranks` ascend, and the worker itself is one of them.
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

 private:
  int below(int rank) const { return ranks_[static_cast<std::size_t>(rank)]; }

  Endpoint& below_;
  std::vector<int> ranks_;
  int rank_ = 0;
  Packet in_;
};

// From now on the worker and the others know only these, by their present ranks. All of them call
// it with the same ranks.
void keep_only(Worker& me, std::vector<int> ranks);

}  // namespace terse
