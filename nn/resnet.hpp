// Residual networks for small images (He et al. 2016), in the form that papers on gradient
// compression use: a 3x3 convolution that keeps the size, stages of basic blocks, each stage but
// the first halving the image, global average pooling and one linear layer.
//
//   resnet20   widths 16 32 64, three blocks a stage          272 474 parameters
//   resnet18   widths 64 128 256 512, two blocks a stage   11 173 962 parameters in 62 tensors
//
//   The counts are for images of 3x32x32 and 10 classes.
//
// Where a block changes the size or the width, its shortcut is a 1x1 convolution followed by
// normalisation (option B of He et al.).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tersegrad/nn/layers.hpp"

namespace terse::nn {

// y = relu( bn2(conv2( relu(bn1(conv1(x))) )) + shortcut(x) ): (N, in, H, W) -> (N, out, P, Q)
class BasicBlock final : public Layer {
 public:
  BasicBlock(std::int64_t in, std::int64_t out, std::int64_t stride, Init& init);
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& visitor) override;
  std::string describe() const override { return "BasicBlock"; }

 private:
  Conv2d conv1_, conv2_;
  BatchNorm2d bn1_, bn2_;
  std::unique_ptr<Conv2d> shortcut_conv_;  // both set or both null; null: shortcut(x) = x
  std::unique_ptr<BatchNorm2d> shortcut_bn_;
};

struct ResnetOptions {
  std::int64_t channels = 3;  // of the images
  std::int64_t classes = 10;
  std::vector<std::int64_t> widths;
  int blocks = 2;  // per stage
};

// (N, channels, H, W) -> logits (N, classes)
class Resnet final : public Layer {
 public:
  Resnet(const ResnetOptions& options, Init& init);
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& visitor) override;
  std::string describe() const override { return "Resnet"; }

 private:
  Conv2d conv1_;
  BatchNorm2d bn1_;
  std::vector<std::vector<std::unique_ptr<BasicBlock>>> stages_;
  GlobalAvgPool2d pool_;
  Linear linear_;
};

}  // namespace terse::nn
