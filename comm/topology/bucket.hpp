// Buckets: contiguous ranges of whole tensors, each exchanged like a model of its own.
//
// Tensors keep their ids, and a bucket knows its coordinates in the model (Round::first and count).
// Compressors key their state and draws by these, so the buckets do not change any tensor's result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/optim/compressor.hpp"

namespace terse {

struct Bucket {
  std::size_t tensor = 0, tensors = 0;  // the first tensor and the number of tensors
  std::int64_t first = 0, count = 0;    // the first coordinate and the number of coordinates

  std::span<const GradView> of(std::span<const GradView> views) const {
    return views.subspan(tensor, tensors);
  }
  // The bucket's part of a round that covers all views.
  Round of(Round round) const {
    round.first += first;
    round.count = count;
    return round;
  }
};

// Cuts the views into `parts` buckets of about equal size; some may be empty. If the coordinates
// are cut into `parts` equal ranges, a tensor belongs to the range that contains its midpoint.
std::vector<Bucket> cut_into_buckets(std::span<const GradView> views, int parts);

// Cuts the views into buckets from the last tensor to the first, which is the order of
// back-propagation. A bucket takes tensors until it has at least `bytes` bytes. Returns one empty
// bucket if there are no views.
std::vector<Bucket> cut_from_the_end(std::span<const GradView> views, double bytes);

}  // namespace terse
