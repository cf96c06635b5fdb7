// All-reduce between workers that share memory, twice, over the one-sided verbs of Worker.
//
//   by owners    the first S workers own a shard of the n floats each
//                  expose values and results
//                  owner: for each block of the shard, small enough for the L1 cache:
//                           read it from all W workers, add in the one order of addition
//                           write the sum to all W workers
//                Every float is read once and written once, and all meet twice.
//   by reading   the ring of collectives.hpp, whose messages are read where they lie
//                  expose values and results
//                  for k = 1 … W-1:  chunk r-1-k = the previous worker's + one's own;  meet
//                  for k = 1 … W-1:  chunk r-k   = the previous worker's;              meet
//                Twice as much memory traffic, and all meet 2 W times: but only neighbours speak.
//
// The owners may also keep the sums, for whoever reads them once and in passing: then they write
// them to themselves alone, and all read them there before they part.
//
// The owners may also keep the sums, for whoever reads them once and in passing: they write them to
// themselves alone, and all read them there before they part.
//
// Sum, bits, messages and bytes counted are those of the exchanges by messages. Cost: by owners
// 2 W n floats of memory traffic in all, by reading about 6 (W-1) n.
#pragma once

#include <span>

#include "tersegrad/comm/transport/worker.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/optim/gradient_source.hpp"

namespace terse {

struct Label;

// results = the sum of all workers' values, over `divisor`; both of n floats, perhaps the same
// ones.
struct SharedReduction {
  std::span<const float> values;
  std::span<float> results;
  float divisor = 1;

  static SharedReduction in_place(std::span<float> values) { return {values, values}; }
};

// Only where me.shares_memory().
void all_reduce_by_owners(Worker& me, int owners, const SharedReduction& reduction,
                          const Label& label);
// Only the owners' results are written, and `use` reads all of them where they are.
void reduce_to_owners(Worker& me, int owners, const SharedReduction& reduction, const Label& label,
                      FunctionRef<void(const GradientSource& results)> use);
void all_reduce_by_reading(Worker& me, const SharedReduction& reduction, const Label& label);

}  // namespace terse
