// Shape lists of models that the papers report message sizes for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace terse {

// A tensor as the compressors see it: rows = first dimension, cols = the others multiplied; a
// one-dimensional tensor has cols = 1. Of a convolution, `kernel` values belong to each pair of
// channels.
struct MatrixShape {
  std::string name;
  std::int64_t rows = 0, cols = 0, kernel = 1;
};

// ResNet-18 for 32 x 32 images (3 x 3 stem, widths 64 128 256 512): 62 tensors, 11 173 962 values.
std::vector<MatrixShape> resnet18_shapes();
// Three-layer LSTM language model, 650 wide, 28 869 words, tied embedding: 28 949 319 values.
std::vector<MatrixShape> lstm_shapes();

}  // namespace terse
