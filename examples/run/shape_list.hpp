// Lists of tensor shapes: of a model, of known models by name, or given as text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tersegrad/nn/module.hpp"
#include "tersegrad/optim/testing/shapes.hpp"

namespace terse::run {

// "lenet" (28 x 28 grey images, 10 classes), "resnet18", "resnet50", "lstm"
// (optim/testing/shapes.hpp), or a list such as "64x3x3x3,64,10x512". UsageError, naming the flag,
// for anything else.
std::vector<MatrixShape> parse_shapes(const std::string& text, std::string_view flag = "--shapes");

// The shapes of a model's parameters.
std::vector<MatrixShape> shapes_of(nn::Module& model);

}  // namespace terse::run
