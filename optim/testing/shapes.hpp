// Tensor shapes of the models for which the papers report message sizes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace terse {

// A tensor as compressors see it: rows is the first dimension, cols the product of the others; a
// one-dimensional tensor has cols = 1. For a convolution, `kernel` is the number of values per pair
// of input and output channel; otherwise it is 1.
struct MatrixShape {
  std::string name;
  std::int64_t rows = 0, cols = 0, kernel = 1;
};

// ResNet-18 for 32 x 32 images (3 x 3 stem, widths 64 128 256 512): 62 tensors, 11 173 962 values.
std::vector<MatrixShape> resnet18_shapes();
// ResNet-50 for ImageNet (7 x 7 stem, bottlenecks of widths 64 128 256 512, 1000 classes):
// 161 tensors, 25 557 032 values.
std::vector<MatrixShape> resnet50_shapes();
// Three-layer LSTM language model, 650 wide, 28 869 words, tied embedding: 28 949 319 values.
std::vector<MatrixShape> lstm_shapes();

}  // namespace terse
