// Top-k with error feedback, in one pass over the residual instead of three: adding the gradient,
// finding candidates and subtracting what is sent happen together (kernels/select.hpp).
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/optim/compressors/topk.hpp"

namespace terse {

void TopK::accumulate_and_choose(const Round& round, std::span<const GradView> grads, float keep,
                                 std::span<const GradView> residual, bool remove_chosen,
                                 Entries& chosen) {
  if (whole_model_) {
    return SparseCompressor::accumulate_and_choose(round, grads, keep, residual, remove_chosen,
                                                   chosen);
  }
  const auto slots = this->slots(round, residual, chosen);
  parallel_for(std::ssize(residual), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto t = begin; t < end; ++t) {
      selectors_[t].accumulate_and_select(grads[t].data, keep, residual[t].data, remove_chosen,
                                          slots[t].first, slots[t].at, slots[t].values);
    }
  });
}

}  // namespace terse
