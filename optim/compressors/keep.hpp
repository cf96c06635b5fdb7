// The number k of coordinates that a sparsifier keeps of a tensor, and the warm-up of that number.
//
//   ratio=0.01   max(1, floor(ratio n)) of n coordinates; floor_of takes the ratio as it is written
//   k=100        as many of every tensor
//   rank=2       as many bytes as PowerSGD of that rank: b = min(r (n + m), n m) floats of a
//                matrix, all floats of a vector; an entry with its coordinate takes two floats
//   warmup=500   in step t < 500 more: a quarter of all at first, then fewer by equal factors
//
// Source: the sizes are those of Vogels et al., arXiv 1905.13727, appendix; the warm-up is that of
// Deep Gradient Compression (Lin et al., arXiv 1712.01887, section 3.3) from 75 % sparsity on.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/spec.hpp"
#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/kernels/power.hpp"

namespace terse {

// floor(ratio n) of a decimal ratio: 29 for 0.29 and 100, although the product of the doubles is
// less than 29. Where ratio n is a whole number k, the quotient k / n rounds to the same double as
// the ratio.
inline std::int64_t floor_of(double ratio, std::int64_t n) {
  const auto reaches = [&](std::int64_t k) {
    return static_cast<double>(k) / static_cast<double>(n) <= ratio;
  };
  auto k = static_cast<std::int64_t>(ratio * static_cast<double>(n));
  if (n > 0 && !reaches(k)) --k;
  if (n > 0 && reaches(k + 1)) ++k;
  return k;
}

// ceil(ratio n), likewise.
inline std::int64_t ceil_of(double ratio, std::int64_t n) {
  const auto k = floor_of(ratio, n);
  return n == 0 || static_cast<double>(k) / static_cast<double>(n) == ratio ? k : k + 1;
}

struct Keep {
  double ratio = 0.01;
  std::int64_t k = 0, rank = 0;   // if both are 0, the ratio applies
  std::int64_t warmup = 0;        // steps
  std::int64_t entry_floats = 1;  // floats that an entry takes in the packet

  static Keep parse(Options& options, std::int64_t entry_floats) {
    const int given = options.has("ratio") + options.has("k") + options.has("rank");
    check<UsageError>(given <= 1,
                      "compressor: expected one of ratio=, k= and rank=; got {} of them", given);
    Keep keep{.entry_floats = entry_floats};
    keep.ratio = options.number("ratio", keep.ratio, 0, 1);
    keep.k = options.integer("k", 0, 1, std::numeric_limits<std::uint32_t>::max());
    keep.rank = options.integer("rank", 0, 1, 1 << 16);
    keep.warmup = options.integer("warmup", 0, 0, std::numeric_limits<std::uint32_t>::max());
    return keep;
  }

  // How many coordinates of a matrix are kept in a step: at least 1 and at most all.
  std::int64_t of(std::int64_t rows, std::int64_t cols, std::uint64_t step) const {
    const auto n = rows * cols;
    auto wanted = floor_of(ratio, n);
    if (k > 0) wanted = k;
    if (rank > 0) wanted = std::min(rank * (rows + cols), n) / entry_floats;
    return std::min(n, std::max<std::int64_t>(1, warmed(wanted, n, step)));
  }
  std::int64_t of(const GradView& view, std::uint64_t step) const {
    return of(view.rows, view.cols, step);
  }
  // How many coordinates of all tensors.
  std::int64_t of(std::span<const GradView> views, std::uint64_t step) const {
    std::int64_t sum = 0;
    for (const auto& view : views) sum += of(view, step);
    return sum;
  }

  // The smallest share of a tensor's coordinates that is kept: a contraction, because the kept ones
  // are the largest, or drawn alike.
  double smallest_share(std::span<const GradView> views, std::uint64_t step) const {
    double share = 1;
    for (const auto& view : views) {
      if (view.data.empty()) continue;
      share = std::min(share,
                       static_cast<double>(of(view, step)) / static_cast<double>(view.data.size()));
    }
    return share;
  }

  std::string text() const {
    auto size = fmt::format("ratio={}", ratio);
    if (k > 0) size = fmt::format("k={}", k);
    if (rank > 0) size = fmt::format("rank={}", rank);
    return fmt::format("{},warmup={}", size, warmup);
  }

 private:
  // `wanted`, or more during the warm-up.
  std::int64_t warmed(std::int64_t wanted, std::int64_t n, std::uint64_t step) const {
    const double first = static_cast<double>(n) / 4, last = static_cast<double>(wanted);
    if (step >= static_cast<std::uint64_t>(warmup) || last >= first) return wanted;
    const double done = static_cast<double>(step) / static_cast<double>(warmup);
    return static_cast<std::int64_t>(first * kernels::power(std::max(1.0, last) / first, done));
  }
};

}  // namespace terse
