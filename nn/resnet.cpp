#include "tersegrad/nn/resnet.hpp"

#include <fmt/format.h>

namespace terse::nn {
namespace {

// Normalisation follows every convolution, so convolutions have no bias.
Conv2dOptions convolution(std::int64_t in, std::int64_t out, std::int64_t kernel,
                          std::int64_t stride) {
  return {.in = in,
          .out = out,
          .kernel = kernel,
          .stride = stride,
          .padding = kernel / 2,
          .bias = false};
}

}  // namespace

BasicBlock::BasicBlock(std::int64_t in, std::int64_t out, std::int64_t stride, Init& init)
    : conv1_(convolution(in, out, 3, stride), init),
      conv2_(convolution(out, out, 3, 1), init),
      bn1_({.channels = out}, init),
      bn2_({.channels = out}, init) {
  if (stride == 1 && in == out) return;
  shortcut_conv_ = std::make_unique<Conv2d>(convolution(in, out, 1, stride), init);
  shortcut_bn_ = std::make_unique<BatchNorm2d>(BatchNorm2dOptions{.channels = out}, init);
}

Tensor BasicBlock::forward(const Tensor& x) {
  const Tensor shortcut = shortcut_conv_ ? (*shortcut_bn_)((*shortcut_conv_)(x)) : x;
  return bn2_.add_relu(conv2_(bn1_.relu(conv1_(x))), shortcut);
}

void BasicBlock::visit(Visitor& visitor) {
  visitor("conv1", conv1_);
  visitor("bn1", bn1_);
  visitor("conv2", conv2_);
  visitor("bn2", bn2_);
  if (!shortcut_conv_) return;
  visitor("shortcut.conv", *shortcut_conv_);
  visitor("shortcut.bn", *shortcut_bn_);
}

Resnet::Resnet(const ResnetOptions& o, Init& init)
    : conv1_(convolution(o.channels, o.widths.front(), 3, 1), init),
      bn1_({.channels = o.widths.front()}, init),
      linear_({.in = o.widths.back(), .out = o.classes}, init) {
  std::int64_t in = o.widths.front();
  for (const auto width : o.widths) {
    auto& stage = stages_.emplace_back();
    for (int block = 0; block < o.blocks; ++block, in = width) {
      const std::int64_t stride = block == 0 && stages_.size() > 1 ? 2 : 1;
      stage.push_back(std::make_unique<BasicBlock>(in, width, stride, init));
    }
  }
}

Tensor Resnet::forward(const Tensor& x) {
  Tensor h = bn1_.relu(conv1_(x));
  for (const auto& stage : stages_) {
    for (const auto& block : stage) h = (*block)(h);
  }
  return linear_(pool_(h));
}

void Resnet::visit(Visitor& visitor) {
  visitor("conv1", conv1_);
  visitor("bn1", bn1_);
  for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
    for (std::size_t block = 0; block < stages_[stage].size(); ++block) {
      visitor(fmt::format("layer{}.{}", stage + 1, block), *stages_[stage][block]);
    }
  }
  visitor("pool", pool_);
  visitor("linear", linear_);
}

}  // namespace terse::nn
