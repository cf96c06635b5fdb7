// What update rules are made of: arrays of one float a parameter, and one loop over them all.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "tersegrad/core/archive.hpp"
#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/simd/vectorized.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace terse {

// What a rule keeps of each parameter between steps. Empty until the first step says how many
// there are; no memory is taken after that.
class StateArray {
 public:
  // The name is the array's in checkpoints, and in errors: "adam.m".
  explicit StateArray(std::string_view name, float initial = 0) : name_(name), initial_(initial) {}

  bool empty() const { return !values_.has_value(); }
  float* data() { return values_ ? values_->data() : nullptr; }
  void set_initial(float initial) { initial_ = initial; }
  // Fills n values with the initial one if there are none yet. Error if there are others than n.
  void prepare(std::int64_t n);
  void serialize(Archive& archive);

 private:
  std::string_view name_;
  float initial_;
  std::optional<Buffer<float>> values_;
};

namespace rule {

inline constexpr std::int64_t kGrain = 1 << 16;
inline constexpr std::int64_t kBlock = 1 << 13;  // of a gradient: it waits in the cache for its use

// body(first, n, g): the blocks of [begin, end), with the values g[0 … n-1] of the gradient there.
template <class Body>
void for_each_block(const ClippedGradient& gradient, std::int64_t begin, std::int64_t end,
                    const Body& body) {
  std::array<float, kBlock> room;
  for (; begin < end; begin += kBlock) {
    const auto n = std::min(kBlock, end - begin);
    body(begin, n, gradient.read(begin, std::span(room).first(static_cast<std::size_t>(n))));
  }
}

// |g|_2, in double and in an order that depends on the length alone. No float's square overflows.
double norm2(const ClippedGradient& gradient);
double norm2(std::span<const float> values);

// Which parameters decay, and by how much: the options weight_decay and weight_decay_on of a rule.
//
//   weight_decay_on=all        every parameter
//   weight_decay_on=matrices   those of tensors with two dimensions or more: no bias, and none of
//                              what normalisation scales and shifts by
class WeightDecay {
 public:
  static WeightDecay read(Options& options, double fallback = 0);
  double value() const { return value_; }
  // "weight_decay=0.1", with the other option unless it is `all`.
  std::string text() const;

  // What the rule is told of the tensors. Without them `matrices` is an Error at the first step.
  void prepare(const RuleSetup& setup);

  // body(first, last, on) for consecutive parts of the parameters [begin, end); on is 1 where
  // they decay, and 0 elsewhere.
  template <class Body>
  void for_each_part(std::int64_t begin, std::int64_t end, const Body& body) const {
    if (!matrices_only_) return body(begin, end, 1.0F);
    auto part = std::upper_bound(parts_.begin(), parts_.end(), begin,
                                 [](std::int64_t at, const Part& p) { return at < p.end; });
    for (; begin < end; ++part) {
      const auto last = std::min(end, part->end);
      body(begin, last, part->on);
      begin = last;
    }
  }
  // Error unless the tensors are known where they matter, and have n values.
  void expect(std::int64_t n) const;

 private:
  struct Part {
    std::int64_t end;
    float on;
  };

  double value_ = 0;
  bool matrices_only_ = false;
  std::vector<Part> parts_;  // with matrices_only_: they ascend
};

// Weight decay of rules that step by signs: `inside` adds weight_decay · x to the gradient, before
// momentum and sign; `outside` changes neither and subtracts lr · weight_decay · x besides.
struct Decay {
  WeightDecay weights;
  std::string place;

  static Decay read(Options& options);
  std::string text() const;
  float inside() const { return place == "inside" ? static_cast<float>(weights.value()) : 0; }
  float outside() const { return place == "outside" ? static_cast<float>(weights.value()) : 0; }
};

// The mathematical sign: 0 of both zeros, and of NaN.
inline float sign(float value) {
  return value > 0 ? 1.0F : value < 0 ? -1.0F : 0.0F;
}

// Restricted, for GCC does not compare the addresses of five arrays at run time.
template <class Element, class... State>
void run_block(std::int64_t n, ClippedValues gradient, Element element, float* __restrict x,
               State* __restrict... state) {
  for (std::int64_t i = 0; i < n; ++i) element(x[i], gradient[i], state[i]...);
}

// element(x_i, g_i, s_i...) for i in [begin, end); one pass.
template <class Element, class... State>
void run_piece(std::int64_t begin, std::int64_t end, const ClippedGradient& gradient,
               const Element& element, float* x, State*... state) {
  for_each_block(gradient, begin, end, [&](std::int64_t at, std::int64_t n, ClippedValues g) {
    run_block(n, g, element, x + at, state + at...);
  });
}

// element(x, g, s...) for each parameter x, its gradient g and its state s..., by reference but g.
// `state` is std::tie of StateArrays. One pass, compiled for every level. make_element(on) makes
// the element for parameters that decay (on = 1) or do not (on = 0); it has its constants by value.
template <class... State, class MakeElement>
void for_each_parameter(std::span<float> values, const ClippedGradient& gradient,
                        std::tuple<State&...> state, const WeightDecay& decay,
                        const MakeElement& make_element) {
  const auto n = std::ssize(values);
  decay.expect(n);
  std::apply(
      [&](auto&... array) {
        (array.prepare(n), ...);
        vectorized_for(n, kGrain, [&](std::int64_t begin, std::int64_t end) {
          decay.for_each_part(begin, end, [&](std::int64_t first, std::int64_t last, float on) {
            run_piece(first, last, gradient, make_element(on), values.data(), array.data()...);
          });
        });
      },
      state);
}
// The same for a pass without weight decay.
template <class... State, class Element>
void for_each_parameter(std::span<float> values, const ClippedGradient& gradient,
                        std::tuple<State&...> state, const Element& element) {
  for_each_parameter(values, gradient, state, WeightDecay(), [&](float) { return element; });
}

}  // namespace rule
}  // namespace terse
