// The exchange of sliceable packets: every owner combines its slice of the coordinates.
//
//   1. Cut the coordinates into one slice an owner, at multiples of 32.
//   2. All-to-all: every worker sends each owner that owner's slice of its packet.
//   3. Every owner combines the W slices into the answer for its coordinates.
//   4. All-gather: every owner sends its answer to all workers.
//   5. Every worker joins the answers into one packet.
//
// Cost: owners · (W-1) messages in step 2 and again in step 4; in the mean a worker sends
// (W-1)/W · (up + down) payload bytes, whatever the number of owners. One's own slice is free.
#pragma once

#include <span>
#include <vector>

#include "tersegrad/comm/collectives/bit_planes.hpp"
#include "tersegrad/comm/collectives/collectives.hpp"
#include "tersegrad/comm/transport/worker.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse {

class SlicedExchange {
 public:
  // The owners are the workers 0, 1, …, owners - 1.
  SlicedExchange(Worker& me, int owners);

  // Combines slices of one coordinate range: round.first and round.count say which.
  using Combine = FunctionRef<void(const Round&, std::span<const Packet> up, Packet& down)>;

  // `up`: one's own packet for the coordinates of `round`; `down`: the joined answer.
  void run(const Round& round, const Packet& up, Combine combine, Packet& down);

 private:
  void send_slices(const Packet& up, const BitPlanes& planes);
  void combine_own(const Round& round, const Packet& up, const BitPlanes& planes, Combine combine);
  void join_answers(const Packet& up, const BitPlanes& planes, Packet& down);

  Chunk slice_of(int owner, const BitPlanes& planes) const {  // in words
    return chunk_of(planes.words, owner, owners_);
  }

  Worker& me_;
  int owners_;
  std::vector<Packet> slices_;  // of one's own coordinates, by worker
  Packet answer_, in_;
};

}  // namespace terse
