// Three all-reduce algorithms, and the choice between them.
//
//   ring      reduce-scatter and all-gather of W chunks around the ring (collectives.hpp)
//   tree      binomial tree, to worker 0 and back:
//               reduce:     in round d = 1, 2, 4, … a worker whose rank has bit d sends its sum to
//                           rank - d and is done; the other adds the sum of rank + d
//               broadcast:  along the same edges in the other direction, the longest first
//   halving   recursive halving, then doubling, on the p = 2^k <= W workers of the core:
//               halving:    for d = p/2, …, 1: exchange halves of the range that is still to be
//                           added with rank ± d; each adds the half that it keeps
//               doubling:   for d = 1, …, p/2: exchange the finished ranges in the other direction
//               The W - p other workers first send all their values to a partner of the core, and
//               receive the result from it.
//
// With latency a, rate b, n bytes, L = ceil(log2 W), and without headers:
//
//             time until all have the sum                        messages of all workers
//   ring      2 (W-1) a + 2 (W-1)/W n/b                          2 W (W-1)
//   tree      2 L (a + n/b)                                      2 (W-1)
//   halving   2 log2(p) a + 2 (p-1)/p n/b; W > p: + 2 (a + n/b)  2 p log2(p) + 2 (W-p)
//
// In each algorithm all workers together send 2 (W-1) n bytes. If W is a power of two, halving has
// the fewest rounds and the fewest bytes. Otherwise the ring is faster from some size on: for a
// latency of 20 us and 10 Gbit/s from 26 KB for 5 workers, from 183 KB for 12 and from 25 MB for
// 1000; for 3 workers it is always faster. The tree is never the fastest in this model; it is for
// networks in which the cost of a message exceeds that of its bytes. Each algorithm has an order of
// addition of its own, so their results differ by rounding; every worker gets the same bits.
//
// Source: Thakur, Rabenseifner, Gropp, "Optimization of collective communication operations in
// MPICH", IJHPCA 2005.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "tersegrad/comm/collectives/collectives.hpp"
#include "tersegrad/comm/collectives/shared_all_reduce.hpp"

namespace terse {

enum class AllReduce : std::uint8_t { ring, tree, halving, automatic };
std::string_view to_string(AllReduce kind);
AllReduce parse_all_reduce(std::string_view name);  // throws UsageError with the known names

// The network for which `automatic` chooses.
struct LinkSpeed {
  double latency = 20e-6;  // seconds
  double bytes_per_second = 1.25e9;
};
// The time by the table above. `kind` must not be automatic.
double all_reduce_seconds(AllReduce kind, int workers, std::size_t bytes, const LinkSpeed& link);

// The algorithm with the least time by the table. The ring wins a tie.
AllReduce best_all_reduce(int workers, std::size_t bytes, const LinkSpeed& link);

// One worker's part in all-reduces of one kind.
class AllReducer {
 public:
  AllReducer(Worker& me, AllReduce kind, const LinkSpeed& link)
      : me_(me), kind_(kind), link_(link), collectives_(me) {}

  // values = the sum of all workers' values.
  void run(std::span<float> values, const Label& label);
  // values = the sum of all workers' values / divisor, without messages. Returns false and does
  // nothing if the workers do not share memory, or if the algorithm for this size is not the ring.
  bool run_in_memory(std::span<float> values, float divisor, const Label& label);

 private:
  AllReduce kind_for(std::size_t bytes) const;

  Worker& me_;
  AllReduce kind_;
  LinkSpeed link_;  // for AllReduce::automatic
  Collectives collectives_;
  Packet in_;  // its memory is exchanged with that of received packets
};

}  // namespace terse
