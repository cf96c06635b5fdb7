// Buckets: runs of whole tensors that are exchanged as models of their own.
//
// A tensor keeps its id, and a bucket knows which coordinates of the model it has (Round::first and
// count): state and draws go by these, so cutting changes no tensor's result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/optim/compressor.hpp"

namespace terse {

struct Bucket {
  std::size_t tensor = 0, tensors = 0;  // its place in the model
  std::int64_t first = 0, count = 0;    // the same in coordinates

  std::span<const GradView> of(std::span<const GradView> views) const {
    return views.subspan(tensor, tensors);
  }
  // What a round of all these views is for the bucket.
  Round of(Round round) const {
    round.first += first;
    round.count = count;
    return round;
  }
};

// So many buckets of about equal size: a tensor goes where its middle lies. They may be empty.
std::vector<Bucket> cut_into_buckets(std::span<const GradView> views, int parts);

// Buckets of about so many bytes, the last tensors first, as back-propagation comes to them: each
// takes tensors until it has them. At least one, if only of nothing.
std::vector<Bucket> cut_from_the_end(std::span<const GradView> views, double bytes);

}  // namespace terse
