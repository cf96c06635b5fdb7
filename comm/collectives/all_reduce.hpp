// All-reduce three times, and which of them when.
//
//   ring      collectives.hpp: W chunks go round, are added, and go round again
//   tree      binomial, to worker 0 and back:
//               reduce: in round d = 1, 2, 4, … a worker whose rank has bit d sends its sum to
//               rank - d and is done; the other adds what rank + d sends
//               broadcast: the same edges the other way, the farthest first
//   halving   recursive halving, then doubling, on the p = 2^k <= W workers of the core:
//               for d = p/2 … 1: of the range that one still adds, swap halves with one's rank ± d
//               and add the half that one keeps; for d = 1 … p/2: swap the finished ranges back
//               The W - p others first send all they have to a partner of the core, and get the
//               result from it.
//
// With latency a, rate b, n bytes and L = ceil(log2 W), headers apart:
//
//             time until all have the sum                        messages of all workers
//   ring      2 (W-1) a + 2 (W-1)/W n/b                          2 W (W-1)
//   tree      2 L (a + n/b)                                      2 (W-1)
//   halving   2 log2(p) a + 2 (p-1)/p n/b; W > p: + 2 (a + n/b)  2 p log2(p) + 2 (W-p)
//
// All workers together send 2 (W-1) n bytes in each. Where W is a power of two, halving has the
// fewest rounds and the fewest bytes. Otherwise the ring wins from some size on: with 20 us and
// 10 Gbit/s from 26 KB for 5 workers, 183 KB for 12 and 25 MB for 1000; for 3 always. The tree
// never wins in this model: it is for networks where a message costs more than its bytes. Each adds
// in an order of its own, so results agree but for rounding; every worker gets the same bits.
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
AllReduce parse_all_reduce(std::string_view name);  // UsageError lists the known ones

// The table above. kind: not automatic.
struct LinkSpeed {
  double latency = 20e-6;  // seconds
  double bytes_per_second = 1.25e9;
};
double all_reduce_seconds(AllReduce kind, int workers, std::size_t bytes, const LinkSpeed& link);

// The one that takes the least time by the table; the ring where it is a draw.
AllReduce best_all_reduce(int workers, std::size_t bytes, const LinkSpeed& link);

// One worker's part in all-reduces of one kind.
class AllReducer {
 public:
  AllReducer(Worker& me, AllReduce kind, const LinkSpeed& link)
      : me_(me), kind_(kind), link_(link), collectives_(me) {}

  // values = the sum of all workers' values.
  void run(std::span<float> values, const Label& label);
  // values = the sum of all workers' values / divisor, without messages. False, and nothing has
  // happened: the workers do not share memory, or all-reduce so many floats by another way than the
  // ring.
  bool run_in_memory(std::span<float> values, float divisor, const Label& label);

 private:
  AllReduce kind_for(std::size_t bytes) const;

  Worker& me_;
  AllReduce kind_;
  LinkSpeed link_;  // for automatic
  Collectives collectives_;
  Packet in_;  // its memory is recycled through the mailboxes
};

}  // namespace terse
