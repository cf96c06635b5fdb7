// All-reduce and reduce-scatter between workers that share memory, in place, over the one-sided
// verbs of Worker.
//
//   by owners    the first S workers own a shard of the n floats each
//                  expose values
//                  owner: for each block of the shard, small enough for the L1 cache:
//                           read it from all W workers, add in the one order of addition
//                           all-reduce:     write the sum to all W workers
//                           reduce-scatter: write it to the owner; the others read it there
//                Every float is read once and written once; all workers synchronize twice.
//   by reading   the ring of collectives.hpp, whose messages are read where they lie
//                  expose values
//                  for k = 1 … W-1:  chunk r-1-k = the previous worker's + one's own;  barrier
//                  for k = 1 … W-1:  chunk r-k   = the previous worker's;              barrier
//                Twice as much memory traffic, and 2 W barriers: but only neighbours exchange data.
//
// Sum, bits, messages and bytes counted are those of the exchanges by messages. Cost: by owners
// 2 W n floats of memory traffic in all, by reading about 6 (W-1) n.
//
// All of them: values = the sum of all workers' values / divisor. The workers' spans have the same
// length. Only where me.shares_memory().
#pragma once

#include <span>

#include "tersegrad/comm/transport/worker.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/optim/gradient_source.hpp"

namespace terse {

struct Label;

void all_reduce_by_owners(Worker& me, int owners, std::span<float> values, float divisor,
                          const Label& label);

// Afterwards only the owners' shards of `values` hold results. `use` reads all shards at their
// owners; while it runs, the memory of all workers is open.
void reduce_scatter_by_owners(Worker& me, int owners, std::span<float> values, float divisor,
                              const Label& label,
                              FunctionRef<void(const GradientSource& results)> use);

void all_reduce_by_reading(Worker& me, std::span<float> values, float divisor, const Label& label);

}  // namespace terse
