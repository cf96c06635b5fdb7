// A small convolutional network.
#pragma once

#include <cstdint>
#include <string>

#include "core/ops.hpp"
#include "tersegrad/nn/layers.hpp"

namespace stripes {

// Images (n, 1, h, w) -> scores (n, classes).
class StripeNet final : public terse::nn::Layer {
 public:
  StripeNet(std::int64_t classes, terse::nn::Init& init)
      : first_({.in = 1, .out = 8, .kernel = 5, .padding = 2}, init),
        second_({.in = 8, .out = 16, .kernel = 3, .padding = 1}, init),
        scores_({.in = 16, .out = classes}, init) {}

  terse::Tensor forward(const terse::Tensor& x) override {
    const auto small = terse::max_pool2d(swish(first_(x)));
    return scores_(terse::global_avg_pool2d(swish(second_(small))));
  }
  void visit(terse::nn::Visitor& visitor) override {
    visitor("first", first_);
    visitor("second", second_);
    visitor("scores", scores_);
  }
  std::string describe() const override { return "StripeNet"; }

 private:
  terse::nn::Conv2d first_, second_;
  terse::nn::Linear scores_;
};

}  // namespace stripes
