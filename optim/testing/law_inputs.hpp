// The gradients that check_laws tries every compressor on.
#pragma once

#include <string>
#include <vector>

#include "tersegrad/optim/testing/gradients.hpp"

namespace terse {

// A small model with tensors of many kinds, at places that are no multiples of 32.
std::vector<MatrixShape> law_shapes();

struct LawInput {
  std::string name;
  OwnedGradients gradients;
};

// Many shapes with ordinary values, and law_shapes() with all kinds of values.
std::vector<LawInput> law_inputs();

}  // namespace terse
