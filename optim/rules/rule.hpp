// Building blocks of update rules: state arrays with one float per parameter, weight decay, and a
// single-pass loop over parameters, gradient and state.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
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

// One float of optimizer state per parameter, kept between steps. The first `prepare`, when the
// number of parameters is known, allocates it; later steps allocate nothing.
class StateArray {
 public:
  // `name` identifies the array in checkpoints and error messages, e.g. "adam.m". The string must
  // outlive the array.
  explicit StateArray(std::string_view name, float initial = 0) : name_(name), initial_(initial) {}

  bool empty() const { return values_.span().empty(); }
  float* data() { return values_.data(); }
  void set_initial(float initial) { initial_ = initial; }
  // Allocates n values and fills them with the initial value if the array is empty. Throws Error if
  // the array already holds a number of values other than n.
  void prepare(std::int64_t n);
  void serialize(Archive& archive);

 private:
  std::string_view name_;
  float initial_;
  Buffer<float> values_;
};

namespace rule {

inline constexpr std::int64_t kGrain = 1 << 16;
inline constexpr std::int64_t kBlock = 1 << 13;  // gradient values read at a time: 32 KB, in cache

// Calls body(first, n, g) for consecutive blocks of [begin, end), n <= kBlock; g[0 … n-1] are the
// values of the gradient at first … first + n - 1.
template <class Body>
void for_each_block(const GradientReader& gradient, std::int64_t begin, std::int64_t end,
                    const Body& body) {
  std::array<float, kBlock> scratch;
  for (; begin < end; begin += kBlock) {
    const auto n = std::min(kBlock, end - begin);
    body(begin, n, gradient.read(begin, std::span(scratch).first(static_cast<std::size_t>(n))));
  }
}

// The Euclidean norm |g|_2. The sum is accumulated in double, so the square of a float cannot
// overflow. The order of the additions depends only on the length, not on the number of threads.
double norm2(const GradientReader& gradient);
double norm2(std::span<const float> values);

// The options weight_decay and weight_decay_on of a rule: how much parameters decay, and which.
//
//   weight_decay_on=all        every parameter decays
//   weight_decay_on=matrices   only tensors with two dimensions or more decay: biases and the
//                              scales and shifts of normalisation layers do not
class WeightDecay {
 public:
  static WeightDecay read(Options& options, double fallback = 0);
  double value() const { return value_; }
  // "weight_decay=0.1", followed by ",weight_decay_on=matrices" if that is set.
  std::string text() const;

  // Reads tensor sizes and shapes from `setup`. weight_decay_on=matrices needs this call: without
  // it, the first step throws Error.
  void prepare(const RuleSetup& setup);

  // Calls body(first, last, decays) for consecutive ranges that cover the parameters [begin, end).
  // `decays` is 1 where the parameters decay and 0 where they do not.
  template <class Body>
  void for_each_part(std::int64_t begin, std::int64_t end, const Body& body) const {
    if (!matrices_only_) return body(begin, end, 1.0F);
    auto part = std::upper_bound(parts_.begin(), parts_.end(), begin,
                                 [](std::int64_t at, const Part& p) { return at < p.end; });
    for (; begin < end; ++part) {
      const auto last = std::min(end, part->end);
      body(begin, last, part->decays);
      begin = last;
    }
  }
  // With weight_decay_on=matrices: throws Error unless the tensors given to `prepare` have n values
  // in total. Otherwise does nothing.
  void expect(std::int64_t n) const;

 private:
  struct Part {
    std::int64_t end;
    float decays;  // 1 or 0
  };

  double value_ = 0;
  bool matrices_only_ = false;
  std::vector<Part> parts_;  // ascending by `end`; filled only if matrices_only_
};

// Weight decay of sign-based rules. decay=inside adds weight_decay · x to the gradient, before
// momentum and sign (L2 regularisation). decay=outside leaves gradient and momentum unchanged and
// also subtracts lr · weight_decay · x from the parameters (decoupled).
struct Decay {
  WeightDecay weights;
  std::string place;

  static Decay read(Options& options);
  std::string text() const;
  float inside() const { return place == "inside" ? static_cast<float>(weights.value()) : 0; }
  float outside() const { return place == "outside" ? static_cast<float>(weights.value()) : 0; }
};

// The mathematical sign: +1, -1 or 0. The sign of +0, -0 and NaN is 0.
inline float sign(float value) {
  return value > 0 ? 1.0F : value < 0 ? -1.0F : 0.0F;
}

// The pointers are __restrict because GCC does not emit run-time overlap checks for five arrays;
// without it the loop would not be vectorised.
template <class Element, class... State>
void run_block(std::int64_t n, GradientBlock gradient, Element element, float* __restrict x,
               State* __restrict... state) {
  for (std::int64_t i = 0; i < n; ++i) element(x[i], gradient[i], state[i]...);
}

// Calls element(x_i, g_i, s_i...) for i in [begin, end) in one pass.
template <class Element, class... State>
void run_piece(std::int64_t begin, std::int64_t end, const GradientReader& gradient,
               const Element& element, float* x, State*... state) {
  for_each_block(gradient, begin, end, [&](std::int64_t at, std::int64_t n, GradientBlock g) {
    run_block(n, g, element, x + at, state + at...);
  });
}

// Calls element(x, g, s...) for each parameter x with its gradient g and its state s...; x and s
// are references, g is a value. `state` is a std::tie of StateArrays, which are allocated on first
// use. One pass, in parallel, compiled for every SIMD level; the gradient is read in blocks of
// kBlock values. make_element(decays) returns the element for parameters that decay (decays = 1) or
// do not (decays = 0); the element must capture its constants by value. Throws Error if state or
// weight decay were prepared for another number of parameters.
template <class... State, class MakeElement>
void for_each_parameter(std::span<float> values, const GradientReader& gradient,
                        std::tuple<State&...> state, const WeightDecay& decay,
                        const MakeElement& make_element) {
  const auto n = std::ssize(values);
  decay.expect(n);
  std::apply(
      [&](auto&... array) {
        (array.prepare(n), ...);
        vectorized_for(n, kGrain, [&](std::int64_t begin, std::int64_t end) {
          decay.for_each_part(begin, end, [&](std::int64_t first, std::int64_t last, float decays) {
            run_piece(first, last, gradient, make_element(decays), values.data(), array.data()...);
          });
        });
      },
      state);
}
// The same, without weight decay.
template <class... State, class Element>
void for_each_parameter(std::span<float> values, const GradientReader& gradient,
                        std::tuple<State&...> state, const Element& element) {
  for_each_parameter(values, gradient, state, WeightDecay(), [&](float) { return element; });
}

}  // namespace rule
}  // namespace terse
