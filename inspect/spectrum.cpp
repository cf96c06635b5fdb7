#include "tersegrad/inspect/spectrum.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "tersegrad/core/random.hpp"
#include "tersegrad/optim/kernels/svd.hpp"

namespace terse {
namespace {

std::vector<double> first_values(const std::vector<float>& s, std::int64_t count) {
  std::vector<double> values(s.begin(), s.begin() + std::min(count, std::ssize(s)));
  if (!values.empty() && !std::isfinite(values.front())) values.clear();
  return values;
}

}  // namespace

std::vector<double> leading_singular_values(const kernels::MatrixView& matrix, std::int64_t count,
                                            std::uint64_t seed) {
  constexpr std::int64_t kExact = 64, kMore = 8;
  constexpr int kIterations = 3;
  const auto [n, m, data] = matrix;
  const auto r = count + kMore;
  if (std::min(n, m) <= std::max(kExact, r)) return first_values(kernels::svd(matrix).s, count);
  std::vector<float> p(static_cast<std::size_t>(n * r)), q(static_cast<std::size_t>(m * r));
  kernels::fill_normal(Philox(seed, {.purpose = Purpose::synthetic}), q);
  for (int iteration = 0; iteration < kIterations; ++iteration) {
    kernels::times_q(matrix, r, q, p);
    kernels::orthonormalise(n, r, p);
    kernels::transposed_times_p(matrix, r, p, q);
    kernels::orthonormalise(m, r, q);
  }
  kernels::times_q(matrix, r, q, p);
  // p is r columns of n values: the transpose of an r x n matrix, which has the same singular
  // values.
  return first_values(kernels::svd({r, n, p}).s, count);
}

std::vector<double> mass_of_largest(std::span<const float> x, std::span<const double> fractions) {
  // A class is an exponent and the first four bits of a significand.
  constexpr int kShift = 19;
  constexpr std::size_t kClasses = std::size_t{1} << (31 - kShift);
  struct Class {
    double energy = 0;
    std::int64_t values = 0;
  };
  std::vector<Class> classes(kClasses);
  double all = 0;
  for (const float value : x) {
    const double energy = double{value} * value;
    auto& one = classes[(std::bit_cast<std::uint32_t>(value) & 0x7FFFFFFFU) >> kShift];
    one.energy += energy;
    ++one.values;
    all += energy;
  }
  std::vector<double> mass;
  for (const double fraction : fractions) {
    double left = fraction * static_cast<double>(x.size()), sum = 0;
    for (std::size_t c = kClasses; c-- > 0 && left > 0;) {
      const auto [energy, values] = classes[c];
      if (values == 0) continue;
      const double part = std::min(1.0, left / static_cast<double>(values));
      sum += part * energy;
      left -= static_cast<double>(values);
    }
    mass.push_back(all > 0 ? sum / all : 0);
  }
  return mass;
}

}  // namespace terse
