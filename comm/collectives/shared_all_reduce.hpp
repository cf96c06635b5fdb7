// All-reduce and reduce-scatter between W workers that share memory: in place, by the one-sided
// operations of Worker. Worker::expose opens `values` to all workers.
//
//   direct       the first S workers each own a shard of the n floats
//                  expose values
//                  owner: for each block of the shard that fits the L1 cache:
//                           read it from all W workers, add in the order of collectives.hpp
//                           all-reduce:      write the sum to all W workers
//                           reduce-scatter:  write the sum to the owner; the others read it there
//                all-reduce:      every float of every worker is read once and written once
//                reduce-scatter:  every float of every worker is read once; only the owner's shard
//                                 is written
//                Barriers, those of expose included: 2 for all-reduce, 3 for reduce-scatter.
//   pull ring    the ring of collectives.hpp with one-sided reads: worker r reads the memory of the
//                previous worker. Chunk numbers are mod W.
//                  expose values
//                  for k = 1 … W-1:  chunk r-1-k = the previous worker's + that of worker r
//                                    barrier
//                  for k = 1 … W-1:  chunk r-k   = the previous worker's
//                                    barrier, except after k = W-1
//                2 W - 1 barriers, those of expose included. Only neighbours exchange data.
//
// The sums, their bits, and the messages and bytes counted are those of the algorithms with
// messages.
//
// Memory traffic of all workers together, in floats: the direct all-reduce reads W n and writes
// W n; the direct reduce-scatter reads W n and writes n, without the reads of `use`. The pull ring
// reads 3 (W-1) n and writes 2 (W-1) n: each of the W-1 additions per chunk reads two floats and
// writes one, each of the W-1 copies reads one and writes one.
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

void direct_all_reduce(Worker& me, int owners, std::span<float> values, float divisor,
                       const Label& label);

// After the call only the owners' shards of `values` hold results. The function calls `use` with a
// source that reads every shard in its owner's memory. The memory of all workers stays exposed
// while `use` runs.
void direct_reduce_scatter(Worker& me, int owners, std::span<float> values, float divisor,
                           const Label& label,
                           FunctionRef<void(const GradientSource& results)> use);

void pull_ring_all_reduce(Worker& me, std::span<float> values, float divisor, const Label& label);

}  // namespace terse
