// The exchange of sliceable packets: every owner combines one slice of the coordinates.
//
//   1. Cut the coordinates into one slice per owner, at multiples of 32.
//   2. All-to-all: every worker sends each owner that owner's slice of its packet.
//   3. Every owner combines the W slices into the down packet for its coordinates.
//   4. All-gather: every owner sends its down packet to all workers.
//   5. Every worker joins these into one down packet.
//
// Cost: owners · (W-1) messages in step 2 and again in step 4. On average a worker sends
// (W-1)/W · (up + down) payload bytes, independent of the number of owners. A worker's own slice is
// not sent.
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
  // The workers 0, …, owners - 1 own slices.
  SlicedExchange(Worker& me, int owners);

  // Combines slices of the coordinates [round.first, round.first + round.count).
  using Combine = FunctionRef<void(const Round&, std::span<const Packet> up, Packet& down)>;

  // `up` is the worker's own packet for the coordinates of `round`, with `block_words` words for 32
  // coordinates (Traits::block_words); `down` becomes the joined down packet. Throws PacketError if
  // the owners' down packets differ in their number of bit planes.
  void run(const Round& round, const Packet& up, int block_words, Combine combine, Packet& down);

 private:
  void send_slices(const Packet& up, const BitPlanes& planes);
  void combine_own(const Round& round, const Packet& up, const BitPlanes& planes, Combine combine);
  void join_answers(const Packet& up, const BitPlanes& planes, Packet& down);

  Chunk slice_of(int owner, const BitPlanes& planes) const {  // in blocks
    return chunk_of(planes.blocks, owner, owners_);
  }

  Worker& me_;
  int owners_;
  std::vector<Packet> slices_;  // by worker: the coordinates that this worker owns
  Packet answer_, in_;
};

}  // namespace terse
