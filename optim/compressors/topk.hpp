// Top-k: the class. The algorithm is in topk.cpp, error feedback in fewer passes in topk_fused.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tersegrad/optim/compressors/keep.hpp"
#include "tersegrad/optim/compressors/sparse.hpp"
#include "tersegrad/optim/kernels/select.hpp"

namespace terse {

class TopK final : public SparseCompressor {
 public:
  TopK(std::uint16_t number, Keep keep, bool whole_model)
      : SparseCompressor(number), keep_(keep), whole_model_(whole_model) {}

  Traits traits(std::uint64_t) const override { return {.whole_model = whole_model_}; }
  bool is_contraction() const override { return codes_by_contraction(); }
  std::optional<double> contraction(std::uint64_t step,
                                    std::span<const GradView> shape) const override;

 protected:
  std::string stage() const override;
  void choose(const Round& round, std::span<const GradView> grads, Entries& chosen) override;
  // topk_fused.cpp
  void accumulate_and_choose(const Round& round, std::span<const GradView> grads, float keep,
                             std::span<const GradView> residual, bool remove_chosen,
                             Entries& chosen) override;

 private:
  // A tensor's part of the entries.
  struct Slot {
    std::uint32_t first = 0;  // the tensor's first coordinate in the bucket
    std::span<std::uint32_t> at;
    std::span<float> values;
  };
  // Resizes `chosen` to k entries of each tensor, and makes a selector for each.
  std::vector<Slot> slots(const Round& round, std::span<const GradView> tensors, Entries& chosen);
  void choose_of_all(const Round& round, std::span<const GradView> grads, Entries& chosen);

  Keep keep_;
  bool whole_model_;
  std::vector<std::uint32_t> magnitudes_;            // scratch
  std::vector<kernels::LargestSelector> selectors_;  // scratch of each tensor
};

}  // namespace terse
