// Lists of tensor shapes: of a model, of the papers' models by name, or written out.
#pragma once

#include <string>
#include <vector>

#include "optim/testing/shapes.hpp"

namespace terse::run {

// "resnet18", "lstm", or "64x3x3x3,64,10x512". UsageError for anything else.
std::vector<MatrixShape> parse_shapes(const std::string& text);

// The parameters of a model for 28x28 grey images of 10 classes.
std::vector<MatrixShape> shapes_of_model(const std::string& model);

}  // namespace terse::run
