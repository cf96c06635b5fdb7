// The tensors of a model's gradient in the form that compressors get them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace terse {

// One tensor as a matrix: rows = the first dimension, cols = the product of the others. A
// one-dimensional tensor has cols = 1. `data` holds rows * cols values, row-major. In the weight of
// a convolution `kernel` = kh kw consecutive values of a row belong to one pair of channels; in any
// other tensor kernel = 1.
struct GradView {
  std::uint32_t id = 0;
  std::int64_t rows = 0, cols = 0, kernel = 1;
  std::span<float> data;

  // The same tensor with other values.
  GradView with(std::span<float> values) const { return {id, rows, cols, kernel, values}; }
};

// The number of coordinates in all views together.
inline std::int64_t count(std::span<const GradView> views) {
  std::int64_t n = 0;
  for (const auto& view : views) n += static_cast<std::int64_t>(view.data.size());
  return n;
}

// The first coordinate of each tensor among all of them, and the end: views.size() + 1 values.
inline std::vector<std::int64_t> begins_of(std::span<const GradView> views) {
  std::vector<std::int64_t> begins{0};
  for (const auto& view : views) begins.push_back(begins.back() + std::ssize(view.data));
  return begins;
}

// Sets `views` to those of `shape` over other values, one tensor after the other.
inline void lay_out(std::span<const GradView> shape, std::span<float> values,
                    std::vector<GradView>& views) {
  views.clear();
  for (const auto& view : shape) {
    views.push_back(view.with(values.first(view.data.size())));
    values = values.subspan(view.data.size());
  }
}

}  // namespace terse
