#include "tersegrad/comm/collectives/sliced_exchange.hpp"

#include <algorithm>
#include <utility>

#include "tersegrad/core/error.hpp"

namespace terse {

SlicedExchange::SlicedExchange(Worker& me, int owners)
    : me_(me), owners_(owners), slices_(static_cast<std::size_t>(me.size())) {}

void SlicedExchange::run(const Round& round, const Packet& up, int block_words, Combine combine,
                         Packet& down) {
  const std::size_t blocks = BitPlanes::blocks_for(round.count);
  if (blocks == 0) {  // a model without coordinates has an empty down packet
    auto header = up.header();
    header.kind = PacketKind::down;
    down.start(header, 0);
    return;
  }
  const auto planes = BitPlanes::of(up, blocks, static_cast<std::size_t>(block_words));
  send_slices(up, planes);
  combine_own(round, up, planes, combine);
  join_answers(up, planes, down);
}

void SlicedExchange::send_slices(const Packet& up, const BitPlanes& planes) {
  for (int k = 1; k <= owners_; ++k) {
    const int owner = (me_.rank() + k) % owners_;  // spreads the first messages over the owners
    const auto at = slice_of(owner, planes);
    if (owner == me_.rank() || at.count == 0) continue;
    const auto slice = planes.slice(at.count);
    me_.send(owner, up.header(), slice.size_bytes(), [&](Packet& out) {
      cut_planes(up.payload(), planes, at.first, slice, out.payload());
    });
  }
}

void SlicedExchange::combine_own(const Round& round, const Packet& up, const BitPlanes& planes,
                                 Combine combine) {
  const int rank = me_.rank();
  if (rank >= owners_) return;
  const auto at = slice_of(rank, planes);
  if (at.count == 0) return;
  const auto slice = planes.slice(at.count);
  const Expected expected{
      .phase = round.phase, .step = round.step, .payload_bytes = slice.size_bytes()};
  for (int worker = 0; worker < me_.size(); ++worker) {
    auto& packet = slices_[static_cast<std::size_t>(worker)];
    if (worker != rank) {
      me_.recv(worker, expected, packet);
      continue;
    }
    packet.start(up.header(), slice.size_bytes());
    cut_planes(up.payload(), planes, at.first, slice, packet.payload());
    packet.seal();
  }
  Round mine = round;
  const auto offset = static_cast<std::int64_t>(at.first) * kCoordinatesPerBlock;
  mine.first = round.first + offset;
  mine.count =
      std::min(round.count - offset, static_cast<std::int64_t>(at.count) * kCoordinatesPerBlock);
  mine.bucket_first = round.first;
  mine.bucket_count = round.count;
  combine(mine, slices_, answer_);
  for (int k = 1; k < me_.size(); ++k) me_.send((rank + k) % me_.size(), answer_);
}

void SlicedExchange::join_answers(const Packet& up, const BitPlanes& planes, Packet& down) {
  const Label label = label_of(up);
  const Expected expected{.kind = PacketKind::down, .phase = label.phase, .step = label.step};
  BitPlanes whole{.planes = 0, .blocks = planes.blocks, .block_words = planes.block_words};
  int first_owner = 0;  // the owner whose down packet determines the number of planes
  for (int owner = 0; owner < owners_; ++owner) {
    const auto at = slice_of(owner, planes);
    if (at.count == 0) continue;
    if (owner != me_.rank()) me_.recv(owner, expected, in_);
    const Packet& answer = owner == me_.rank() ? answer_ : in_;
    const auto slice = BitPlanes::of(answer, at.count, planes.block_words);
    if (whole.planes == 0) {
      first_owner = owner;
      whole.planes = slice.planes;
      down.start(answer.header(), whole.size_bytes());
    }
    check<PacketError>(slice.planes == whole.planes,
                       "slices: expected the same number of bit planes in all down packets; got {} "
                       "from worker {} and {} from worker {}",
                       whole.planes, first_owner, slice.planes, owner);
    join_planes(answer.payload(), slice, at.first, whole, down.payload());
  }
  down.seal();
}

}  // namespace terse
