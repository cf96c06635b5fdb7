#include "tersegrad/optim/testing/shapes.hpp"

#include <fmt/format.h>

namespace terse {
namespace {

void add_convolution(std::vector<MatrixShape>& shapes, const std::string& conv,
                     const std::string& norm, std::int64_t in, std::int64_t out,
                     std::int64_t kernel) {
  shapes.push_back({conv + ".weight", out, in * kernel * kernel, kernel * kernel});
  shapes.push_back({norm + ".weight", out, 1});
  shapes.push_back({norm + ".bias", out, 1});
}

}  // namespace

std::vector<MatrixShape> resnet18_shapes() {
  std::vector<MatrixShape> shapes;
  add_convolution(shapes, "conv1", "bn1", 3, 64, 3);
  std::int64_t in = 64;
  for (int stage = 1; stage <= 4; ++stage) {
    const std::int64_t out = std::int64_t{32} << stage;
    for (int block = 0; block < 2; ++block) {
      const auto name = fmt::format("layer{}.{}.", stage, block);
      add_convolution(shapes, name + "conv1", name + "bn1", in, out, 3);
      add_convolution(shapes, name + "conv2", name + "bn2", out, out, 3);
      if (in != out) {
        add_convolution(shapes, name + "shortcut.conv", name + "shortcut.bn", in, out, 1);
      }
      in = out;
    }
  }
  shapes.push_back({"linear.weight", 10, 512});
  shapes.push_back({"linear.bias", 10, 1});
  return shapes;
}

std::vector<MatrixShape> resnet50_shapes() {
  constexpr int kBlocks[] = {3, 4, 6, 3};
  std::vector<MatrixShape> shapes;
  add_convolution(shapes, "conv1", "bn1", 3, 64, 7);
  std::int64_t in = 64;
  for (int stage = 1; stage <= 4; ++stage) {
    const std::int64_t width = std::int64_t{32} << stage, out = 4 * width;
    for (int block = 0; block < kBlocks[stage - 1]; ++block) {
      const auto name = fmt::format("layer{}.{}.", stage, block);
      add_convolution(shapes, name + "conv1", name + "bn1", in, width, 1);
      add_convolution(shapes, name + "conv2", name + "bn2", width, width, 3);
      add_convolution(shapes, name + "conv3", name + "bn3", width, out, 1);
      if (block == 0) {
        add_convolution(shapes, name + "shortcut.conv", name + "shortcut.bn", in, out, 1);
      }
      in = out;
    }
  }
  shapes.push_back({"linear.weight", 1000, in});
  shapes.push_back({"linear.bias", 1000, 1});
  return shapes;
}

std::vector<MatrixShape> lstm_shapes() {
  constexpr std::int64_t kWords = 28869, kWidth = 650, kGates = 4 * kWidth;
  std::vector<MatrixShape> shapes{{"encoder.weight", kWords, kWidth}};
  for (int layer = 0; layer < 3; ++layer) {
    for (const char* name : {"weight_ih", "weight_hh", "bias_ih", "bias_hh"}) {
      shapes.push_back(
          {fmt::format("rnn.{}_l{}", name, layer), kGates, name[0] == 'w' ? kWidth : 1});
    }
  }
  shapes.push_back({"decoder.bias", kWords, 1});
  return shapes;
}

}  // namespace terse
