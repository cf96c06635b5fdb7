#include "tersegrad/optim/testing/law_statistics.hpp"

#include <algorithm>
#include <cmath>

namespace terse {
namespace {

// Sanitizer builds are slow and look for memory errors and data races, not for bias, so they make a
// twentieth of the draws. The bound on the bias is in standard errors and stays valid.
#ifdef TERSE_SANITIZED  // by CMake, because Clang defines no macro for its sanitizers
constexpr int kFewer = 20;
#else
constexpr int kFewer = 1;
#endif

}  // namespace

Measured measured_error(const MakeCompressor& make, const OwnedGradients& x) {
  constexpr int kDraws = 200;
  const auto values = flat(x);
  double size = 0, sum = 0, squares = 0;
  for (const float value : values) size += double{value} * value;
  for (int draw = 0; draw < kDraws; ++draw) {
    TestExchange exchange(make, 1, {.seed = static_cast<std::uint64_t>(draw)});
    const auto c = flat(exchange.mean({x}));
    double error = 0;
    for (std::size_t i = 0; i < c.size(); ++i) {
      error += (double{c[i]} - values[i]) * (double{c[i]} - values[i]);
    }
    sum += error / size;
    squares += error / size * error / size;
  }
  const double mean = sum / kDraws;
  return {mean, std::sqrt(std::max(0.0, squares / kDraws - mean * mean) / kDraws)};
}

double largest_bias(const MakeCompressor& make, std::uint64_t seed) {
  constexpr int kDraws = 20000 / kFewer;
  const auto x = normal_gradients({{"", 7, 1}, {"", 3, 4}}, 5);
  const auto values = flat(x);
  std::vector<double> sum(values.size()), squares(values.size());
  TestExchange exchange(make, 1, {.seed = seed});
  for (int draw = 0; draw < kDraws; ++draw) {
    const auto c = flat(exchange.mean({x}));
    for (std::size_t i = 0; i < c.size(); ++i) {
      sum[i] += c[i];
      squares[i] += double{c[i]} * c[i];
    }
  }
  double largest = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double mean = sum[i] / kDraws, bias = std::abs(mean - values[i]);
    const double variance = std::max(0.0, squares[i] / kDraws - mean * mean);
    const double rounding = 1e-6 * std::abs(values[i]);
    largest = std::max(largest, bias / (std::sqrt(variance / kDraws) + rounding));
  }
  return largest;
}

}  // namespace terse
