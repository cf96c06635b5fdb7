// Gradients that own their values, as inputs of compressor tests.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tersegrad/core/random.hpp"
#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/testing/shapes.hpp"

namespace terse {

struct OwnedTensor {
  std::uint32_t id = 0;
  std::int64_t rows = 0, cols = 0;
  std::vector<float> values;
  std::int64_t kernel = 1;

  std::int64_t size() const { return rows * cols; }
  bool operator==(const OwnedTensor&) const = default;
};
using OwnedGradients = std::vector<OwnedTensor>;

// Tensors 0, 1, … with these shapes. value(i) is called for i = 0, 1, … over all tensors in order
// and returns the value at coordinate i of the model.
OwnedGradients make_gradients(const std::vector<MatrixShape>& shapes,
                              const std::function<float(std::int64_t)>& value);
OwnedGradients zero_gradients(const std::vector<MatrixShape>& shapes);
OwnedGradients normal_gradients(const std::vector<MatrixShape>& shapes, std::uint32_t draw);

std::vector<GradView> views_of(OwnedGradients& gradients);
std::vector<MatrixShape> shapes_of(const OwnedGradients& gradients);
std::vector<float> flat(const OwnedGradients& gradients);
OwnedGradients mean_of(const std::vector<OwnedGradients>& workers);

// Compares values bit by bit, so a NaN equals the same NaN.
bool same_bits(const OwnedGradients& a, const OwnedGradients& b);

}  // namespace terse
