#include "tersegrad/core/kernels/reduce.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "tersegrad/core/kernels/conv/conv2d.hpp"
#include "tersegrad/core/kernels/elementwise.hpp"
#include "tersegrad/core/simd/vectorized.hpp"

namespace terse::kernels {
namespace {

// For each dimension of `to`: the stride in `from`, or 0 if the dimension is repeated.
std::array<std::int64_t, Shape::kMaxRank> broadcast_steps(const Shape& from, const Shape& to) {
  std::array<std::int64_t, Shape::kMaxRank> steps{};
  std::int64_t step = 1;
  for (int i = from.rank() - 1, j = to.rank() - 1; i >= 0; --i, --j) {
    if (from[i] != 1) steps[static_cast<std::size_t>(j)] = step;
    step *= from[i];
  }
  return steps;
}

// Calls visit(index in from, index in to, length, stride in from) for every innermost row of `to`.
template <class Visit>
void for_each_row(const Shape& from, const Shape& to, Visit visit) {
  if (to.numel() == 0) return;
  const auto steps = broadcast_steps(from, to);
  const int last = to.rank() - 1;
  const std::int64_t length = last < 0 ? 1 : to[last];
  const std::int64_t inner = last < 0 ? 0 : steps[static_cast<std::size_t>(last)];
  std::array<std::int64_t, Shape::kMaxRank> at{};
  std::int64_t source = 0;
  for (std::int64_t row = 0; row < to.numel(); row += length) {
    visit(source, row, length, inner);
    for (int d = last - 1; d >= 0; --d) {  // advance the indices of the outer dimensions
      const auto i = static_cast<std::size_t>(d);
      source += steps[i];
      if (++at[i] < to[d]) break;
      source -= steps[i] * to[d];
      at[i] = 0;
    }
  }
}

}  // namespace

void sum_middle(std::int64_t outer, std::int64_t n, std::int64_t inner, std::span<const real> x,
                std::span<real> y) {
  const std::int64_t grain =
      std::max<std::int64_t>(1, kElementGrain / std::max<std::int64_t>(1, n * inner));
  vectorized_for(outer, grain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<double> sums(static_cast<std::size_t>(inner));
    for (std::int64_t o = begin; o < end; ++o) {
      std::fill(sums.begin(), sums.end(), 0.0);
      const real* xs = x.data() + o * n * inner;
      for (std::int64_t i = 0; i < n; ++i, xs += inner) {
        for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += static_cast<double>(xs[j]);
      }
      real* ys = y.data() + o * inner;
      for (std::size_t j = 0; j < sums.size(); ++j) ys[j] = static_cast<real>(sums[j]);
    }
  });
}

void repeat_middle(std::int64_t outer, std::int64_t n, std::int64_t inner, std::span<const real> x,
                   std::span<real> y) {
  for (std::int64_t o = 0; o < outer; ++o) {
    const real* xs = x.data() + o * inner;
    for (std::int64_t i = 0; i < n; ++i) std::copy(xs, xs + inner, y.data() + (o * n + i) * inner);
  }
}

void broadcast(const Shape& from, const Shape& to, std::span<const real> x, std::span<real> y) {
  for_each_row(from, to,
               [&](std::int64_t source, std::int64_t row, std::int64_t length, std::int64_t step) {
                 const real* xs = x.data() + source;
                 real* ys = y.data() + row;
                 for (std::int64_t i = 0; i < length; ++i) ys[i] = xs[i * step];
               });
}

void broadcast_sum(const Shape& from, const Shape& to, std::span<const real> dy,
                   std::span<real> dx) {
  std::fill(dx.begin(), dx.end(), real{0});
  for_each_row(from, to,
               [&](std::int64_t source, std::int64_t row, std::int64_t length, std::int64_t step) {
                 const real* dys = dy.data() + row;
                 real* dxs = dx.data() + source;
                 for (std::int64_t i = 0; i < length; ++i) dxs[i * step] += dys[i];
               });
}

void channel_sum(std::int64_t n, std::int64_t k, std::int64_t pixels, std::span<const real> dy,
                 std::span<real> db) {
  constexpr int kLanes = 16;  // independent sums, so that the loop vectorises
  const std::int64_t grain =
      std::max<std::int64_t>(1, kElementGrain / std::max<std::int64_t>(1, n * pixels));
  vectorized_for(k, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t channel = begin; channel < end; ++channel) {
      double total = 0;
      for (std::int64_t i = 0; i < n; ++i) {
        const real* plane = dy.data() + (i * k + channel) * pixels;
        real lanes[kLanes] = {};
        std::int64_t t = 0;
        for (; t + kLanes <= pixels; t += kLanes) {
          for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += plane[t + lane];
        }
        for (; t < pixels; ++t) lanes[0] += plane[t];
        for (const real lane : lanes) total += static_cast<double>(lane);
      }
      db[static_cast<std::size_t>(channel)] = static_cast<real>(total);
    }
  });
}

}  // namespace terse::kernels
