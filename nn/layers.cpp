#include "tersegrad/nn/layers.hpp"

#include <fmt/format.h>

#include <cmath>

#include "tersegrad/core/archive.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parallel.hpp"

namespace terse::nn {
namespace {

real fan_in_bound(std::int64_t fan_in) {
  return static_cast<real>(1 / std::sqrt(static_cast<double>(fan_in)));
}

std::string describe_pool(const char* name, const PoolOptions& o) {
  std::string text = fmt::format("{}({}x{}", name, o.kernel, o.kernel);
  if (o.stride != 0 && o.stride != o.kernel) text += fmt::format(", stride {}", o.stride);
  if (o.padding != 0) text += fmt::format(", pad {}", o.padding);
  return text + ")";
}

// The number of input channels that an output channel depends on.
std::int64_t group_inputs(const Conv2dOptions& o) {
  check(o.groups >= 1 && o.in % o.groups == 0 && o.out % o.groups == 0,
        "Conv2d: in and out must be multiples of groups; got in {}, out {}, groups {}", o.in, o.out,
        o.groups);
  return o.in / o.groups;
}

}  // namespace

Linear::Linear(const LinearOptions& o, Init& init)
    : weight({o.out, o.in}, fan_in_bound(o.in), init),
      bias(o.bias ? Parameter({o.out}, fan_in_bound(o.in), init) : Parameter()) {}

void Linear::visit(Visitor& visitor) {
  visitor("weight", weight);
  visitor("bias", bias);
}

std::string Linear::describe() const {
  const Shape& shape = weight.tensor().shape();
  return fmt::format("Linear({}, {}{})", shape[1], shape[0], bias.defined() ? "" : ", no bias");
}

Conv2d::Conv2d(const Conv2dOptions& o, Init& init)
    : weight({o.out, group_inputs(o), o.kernel, o.kernel},
             fan_in_bound(group_inputs(o) * o.kernel * o.kernel), init),
      bias(o.bias ? Parameter({o.out}, fan_in_bound(group_inputs(o) * o.kernel * o.kernel), init)
                  : Parameter()),
      options_(o) {}

void Conv2d::visit(Visitor& visitor) {
  visitor("weight", weight);
  visitor("bias", bias);
}

// A stride of 2 is printed as /2, and defaults are omitted, to fit a line of the model's table.
std::string Conv2d::describe() const {
  const auto& o = options_;
  std::string text = fmt::format("Conv2d({}, {}, {}x{}", o.in, o.out, o.kernel, o.kernel);
  if (o.stride != 1) text += fmt::format("/{}", o.stride);
  if (o.padding != 0) text += fmt::format(", pad {}", o.padding);
  if (o.groups != 1) text += fmt::format(", groups {}", o.groups);
  return text + (o.bias ? ")" : ", no bias)");
}

std::string MaxPool2d::describe() const {
  return describe_pool("MaxPool2d", options_);
}
std::string AvgPool2d::describe() const {
  return describe_pool("AvgPool2d", options_);
}

BatchNorm2d::BatchNorm2d(const BatchNorm2dOptions& o, Init& init)
    : weight(Parameter::constant({o.channels}, 1, init)),
      bias(Parameter::constant({o.channels}, 0, init)),
      running_mean(Tensor::zeros({o.channels})),
      running_variance(Tensor::full({o.channels}, 1)),
      options_(o) {}

Tensor BatchNorm2d::normalise(const Tensor& x, bool relu, const Tensor& residual) {
  return batch_norm2d(x, weight, bias,
                      {.running_mean = running_mean,
                       .running_variance = running_variance,
                       .training = training(),
                       .momentum = options_.momentum,
                       .eps = options_.eps,
                       .relu = relu,
                       .residual = residual});
}

void BatchNorm2d::visit(Visitor& visitor) {
  visitor("weight", weight);
  visitor("bias", bias);
  visitor("running_mean", running_mean);
  visitor("running_var", running_variance);
}

std::string BatchNorm2d::describe() const {
  return fmt::format("BatchNorm2d({})", options_.channels);
}

LayerNorm::LayerNorm(const LayerNormOptions& o, Init& init)
    : weight(Parameter::constant({o.features}, 1, init)),
      bias(Parameter::constant({o.features}, 0, init)),
      options_(o) {}

void LayerNorm::visit(Visitor& visitor) {
  visitor("weight", weight);
  visitor("bias", bias);
}

std::string LayerNorm::describe() const {
  return fmt::format("LayerNorm({})", options_.features);
}

Dropout::Dropout(double p) : p_(p) {
  check(p >= 0 && p < 1, "Dropout: p must be in [0, 1); got {}", p);
}

Tensor Dropout::forward(const Tensor& x) {
  if (!training() || p_ == 0) return x;
  const Philox stream(
      seed_, {.purpose = Purpose::dropout, .worker = worker_, .step = calls_++, .tensor = number_});
  Tensor mask = Tensor::empty(x.shape());
  const auto p = static_cast<float>(p_);
  const auto kept = static_cast<real>(1 / (1 - p_));
  constexpr std::int64_t kGrain = 8192;
  parallel_for(x.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    Philox random = stream;
    random.seek(static_cast<std::uint64_t>(begin));
    const auto values = mask.data_mut();
    for (std::int64_t i = begin; i < end; ++i) {
      values[static_cast<std::size_t>(i)] = random.uniform() < p ? real{0} : kept;
    }
  });
  return multiply(x, mask);
}

std::string Dropout::describe() const {
  return fmt::format("Dropout(p={})", p_);
}

void Dropout::seed(std::uint64_t seed, std::uint32_t worker, std::uint32_t number) {
  seed_ = seed;
  worker_ = worker;
  number_ = number;
  calls_ = 0;
}

void Dropout::serialize_own(Archive& archive) {
  archive.item("passes", calls_);
}

Tensor Sequential::forward(const Tensor& x) {
  Tensor y = x;
  for (const auto& part : parts_) y = (*part)(y);
  return y;
}

void Sequential::visit(Visitor& visitor) {
  for (std::size_t i = 0; i < parts_.size(); ++i) visitor(std::to_string(i), *parts_[i]);
}

}  // namespace terse::nn
