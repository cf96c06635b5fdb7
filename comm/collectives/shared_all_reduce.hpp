// All-reduce and reduce-scatter between workers that share memory: in place, by the one-sided
// operations of Worker.
//
//   by owners    the first S workers each own a shard of the n floats
//                  expose values
//                  owner: for each block of the shard that fits the L1 cache:
//                           read it from all W workers, add in the order of collectives.hpp
//                           all-reduce:      write the sum to all W workers
//                           reduce-scatter:  write the sum to the owner; the others read it there
//                Every float is read once and written once. All workers synchronize twice.
//   by reading   the ring of collectives.hpp; each worker reads the memory of the previous worker
//                  expose values
//                  for k = 1 … W-1:  chunk r-1-k = the previous worker's + one's own;  barrier
//                  for k = 1 … W-1:  chunk r-k   = the previous worker's;              barrier
//                Twice the memory traffic and 2 W barriers, but only neighbours exchange data.
//
// The sums, their bits, and the messages and bytes counted are those of the algorithms with
// messages. Memory traffic: 2 W n floats by owners, about 6 (W-1) n floats by reading.
//
// Each function computes values = the sum of all workers' values / divisor. The spans of all
// workers have the same length. Requires me.shares_memory().
#pragma once

#include <span>

#include "tersegrad/comm/transport/worker.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/optim/gradient_source.hpp"

namespace terse {

struct Label;

void all_reduce_by_owners(Worker& me, int owners, std::span<float> values, float divisor,
                          const Label& label);

// After the call only the owners' shards of `values` hold results. `use` is called with a source
// that reads every shard in its owner's memory; the memory of all workers stays exposed while `use`
// runs.
void reduce_scatter_by_owners(Worker& me, int owners, std::span<float> values, float divisor,
                              const Label& label,
                              FunctionRef<void(const GradientSource& results)> use);

void all_reduce_by_reading(Worker& me, std::span<float> values, float divisor, const Label& label);

}  // namespace terse
