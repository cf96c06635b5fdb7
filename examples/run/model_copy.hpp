// A copy of values of a model's tensors, in the order of its parameters, filled tensor by tensor.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/core/parameters.hpp"
#include "tersegrad/optim/grad_view.hpp"

namespace terse::run {

class ModelCopy {
 public:
  // Memory is taken when the copy is first filled.
  explicit ModelCopy(std::span<const ParameterInfo> tensors) : tensors_(tensors) {}

  // Views into the copy: of all tensors, or of those of `shape`. From now on the copy has values.
  std::vector<GradView> all() {
    const auto count = tensors_.empty() ? 0 : tensors_.back().offset + tensors_.back().numel;
    values_.resize(static_cast<std::size_t>(count));
    filled_ = true;
    std::vector<GradView> views;
    for (const auto& info : tensors_) {
      views.push_back({.id = info.id,
                       .rows = info.rows,
                       .cols = info.cols,
                       .kernel = info.kernel,
                       .data = std::span(values_).subspan(static_cast<std::size_t>(info.offset),
                                                          static_cast<std::size_t>(info.numel))});
    }
    return views;
  }
  std::vector<GradView> like(std::span<const GradView> shape) {
    const auto every = all();
    std::vector<GradView> views;
    for (const auto& view : shape) views.push_back(every[view.id]);
    return views;
  }
  void copy(std::span<const GradView> from) {
    const auto to = like(from);
    for (std::size_t t = 0; t < to.size(); ++t) {
      std::ranges::copy(from[t].data, to[t].data.begin());
    }
  }

  // Empty if it has no values.
  std::span<const float> values() const {
    return filled_ ? std::span<const float>(values_) : std::span<const float>();
  }
  void clear() { filled_ = false; }

 private:
  std::span<const ParameterInfo> tensors_;
  std::vector<float> values_;
  bool filled_ = false;
};

}  // namespace terse::run
