// ring: all workers have the same role; there is no server.
//
//   linear      all-reduce around the ring, or by the algorithm of the plan (all_reduce.hpp)
//   sliceable   every worker owns a slice of the coordinates (sliced_exchange.hpp)
//   gather      ring all-gather; every worker combines all packets, so state that a server would
//               keep exists on every worker
//
// Cost in bytes and messages: the table in topology.hpp. In a gather each of the W workers combines
// W packets.
#include <vector>

#include "tersegrad/comm/collectives/all_reduce.hpp"
#include "tersegrad/comm/collectives/collectives.hpp"
#include "tersegrad/comm/collectives/sliced_exchange.hpp"
#include "tersegrad/comm/topology/topologies.hpp"

namespace terse {
namespace {

class RingTopology final : public Topology {
 public:
  RingTopology(Worker& me, AllReduce kind, const LinkSpeed& link)
      : Topology(me),
        reducer_(me, kind, link),
        collectives_(me),
        slices_(me, me.size()),
        all_(static_cast<std::size_t>(me.size())) {}

 private:
  void all_reduce(Packet& values) override { reducer_.run(values.floats(), label_of(values)); }

  bool reduce_in_memory(std::span<float> values, float divisor, const Label& label,
                        Use use) override {
    if (!reducer_.run_in_memory(values, divisor, label)) return false;
    use(GradientInMemory(values));
    return true;
  }

  void combine_in_slices(const Job& job, Packet& up, Packet& down) override {
    slices_.run(
        job.round, up, job.traits.block_words,
        [&](const Round& round, std::span<const Packet> parts, Packet& answer) {
          combine(job, round, {}, parts, answer);
        },
        down);
  }

  void run_gather(const Job& job) override {
    encode(job, job.round, job.gradients, all_[static_cast<std::size_t>(me_.rank())]);
    {
      const auto timed = me_.time(Part::exchange);
      collectives_.ring_all_gather(all_);
    }
    // Every worker makes the down packet itself; nothing is sent.
    combine(job, job.round, job.gradients, all_, own_down_);
    decode(job, job.round, own_down_, job.scratch);
  }

  AllReducer reducer_;
  Collectives collectives_;
  SlicedExchange slices_;
  std::vector<Packet> all_;  // by worker
  Packet own_down_;
};

}  // namespace

std::unique_ptr<Topology> make_ring_topology(Worker& me, AllReduce kind, const LinkSpeed& link) {
  return std::make_unique<RingTopology>(me, kind, link);
}

}  // namespace terse
