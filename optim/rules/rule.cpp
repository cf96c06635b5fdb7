#include "tersegrad/optim/rules/rule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "tersegrad/core/error.hpp"

namespace terse {

void StateArray::prepare(std::int64_t n) {
  if (empty()) {
    values_ = Buffer<float>(n);
    float* values = values_.data();
    parallel_for(n, rule::kGrain, [&](std::int64_t begin, std::int64_t end) {
      std::fill(values + begin, values + end, initial_);
    });
  }
  check(std::ssize(values_.span()) == n,
        "{}: expected one state value per parameter; got {} parameters and {} values", name_, n,
        values_.span().size());
}

void StateArray::serialize(Archive& archive) {
  archive.item(name_, values_);
}

namespace rule {

// Eight partial sums: GCC may not reorder the additions of one sum, but it vectorises eight sums.
double norm2(const GradientReader& gradient) {
  constexpr std::int64_t kLanes = 8;
  static_assert(kBlock % kLanes == 0);
  const double squares =
      vectorized_sum(gradient.count, kGrain, [&](std::int64_t begin, std::int64_t end) {
        std::array<double, kLanes> lanes{};
        double sum = 0;
        for_each_block(gradient, begin, end, [&](std::int64_t, std::int64_t n, GradientBlock g) {
          const auto square = [g](std::int64_t i) { return double{g[i]} * double{g[i]}; };
          std::int64_t i = 0;
          for (; i + kLanes <= n; i += kLanes) {
            for (std::int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += square(i + lane);
          }
          for (; i < n; ++i) sum += square(i);
        });
        for (const double lane : lanes) sum += lane;
        return sum;
      });
  return std::sqrt(squares);
}

double norm2(std::span<const float> values) {
  const GradientInMemory source(values);
  return norm2({.source = &source, .count = std::ssize(values)});
}

WeightDecay WeightDecay::read(Options& options, double fallback) {
  constexpr std::array<std::string_view, 2> kWhich = {"all", "matrices"};
  WeightDecay decay;
  decay.value_ = options.number("weight_decay", fallback, 0, 1e6);
  decay.matrices_only_ = options.choice("weight_decay_on", kWhich[0], kWhich) == kWhich[1];
  return decay;
}

std::string WeightDecay::text() const {
  return fmt::format("weight_decay={}{}", value_,
                     matrices_only_ ? ",weight_decay_on=matrices" : "");
}

void WeightDecay::prepare(const RuleSetup& setup) {
  if (!matrices_only_) return;
  parts_.clear();
  std::int64_t end = 0;
  for (std::size_t i = 0; i < setup.tensors.size(); ++i) {
    end += setup.tensors[i];
    const float decays = setup.matrices.at(i) ? 1 : 0;
    if (!parts_.empty() && parts_.back().decays == decays) {
      parts_.back().end = end;
    } else {
      parts_.push_back({end, decays});
    }
  }
}

void WeightDecay::expect(std::int64_t n) const {
  const std::int64_t known = parts_.empty() ? 0 : parts_.back().end;
  check(!matrices_only_ || known == n,
        "weight_decay_on=matrices: expected {} values, the size of the tensors that prepare was "
        "called with; got {}",
        known, n);
}

Decay Decay::read(Options& options) {
  constexpr std::array<std::string_view, 2> kPlaces = {"outside", "inside"};
  return {.weights = WeightDecay::read(options),
          .place = options.choice("decay", kPlaces[0], kPlaces)};
}

std::string Decay::text() const {
  return fmt::format("{},decay={}", weights.text(), place);
}

}  // namespace rule
}  // namespace terse
