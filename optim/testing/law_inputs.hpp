// The gradients on which check_laws runs every compressor.
#pragma once

#include <string>
#include <vector>

#include "tersegrad/optim/testing/gradients.hpp"

namespace terse {

// A small model with matrices, vectors and an empty tensor, most of which do not begin at a
// multiple of 32.
std::vector<MatrixShape> law_shapes();

struct LawInput {
  std::string name;
  OwnedGradients gradients;
};

// Single tensors of many shapes with normal values, and law_shapes() with edge-case values: zeros,
// denormals, huge values, infinities, NaN.
std::vector<LawInput> law_inputs();

}  // namespace terse
