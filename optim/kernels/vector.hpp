// Element-wise operations and sums over tensors. All operands of a call have the same length.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace terse::kernels {

// The number of values in one piece of a parallel loop over a tensor: 128 KB, a multiple of 32.
inline constexpr std::int64_t kGrain = 1 << 15;

// Prefetches x into the L1 cache. Use it for a few values that are read soon.
inline void prefetch(std::span<const float> x) {
  constexpr std::size_t kLine = 64 / sizeof(float);
  for (std::size_t i = 0; i < x.size(); i += kLine) __builtin_prefetch(x.data() + i);
}

void clear(std::span<float> y);                                                 // y = 0
void copy_to(std::span<const float> x, std::span<float> y);                     // y = x
void add_to(std::span<const float> x, std::span<float> y);                      // y += x
void add_scaled_to(std::span<const float> x, float scale, std::span<float> y);  // y += scale x
void subtract_from(std::span<const float> x, std::span<float> y);               // y -= x
void scale_to(std::span<const float> x, float scale, std::span<float> y);       // y = scale x
void divide_to(std::span<const float> x, float divisor, std::span<float> y);    // y = x / divisor
void blend_to(std::span<const float> x, float keep, float take,
              std::span<float> y);  // y = keep y + take x
// (h, d) = (h + alpha d, h + d), with the old values of h and d on the right
void step_estimate(std::span<float> h, float alpha, std::span<float> d);

// A sum in sixteen lanes. GCC may not reorder the additions of one sum, but it vectorises sixteen
// independent ones; with fewer, the latency of the additions would limit the speed.
class LaneSum {
 public:
  // Adds term(i) for begin <= i < end. To be called in a body of `vectorized` (core/simd/
  // vectorized.hpp). In all calls but the last, the number of terms must be a multiple of 16.
  template <class Term>
  void add(std::int64_t begin, std::int64_t end, Term term) {
    auto lanes = lanes_;
    auto i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      for (std::int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
    }
    for (; i < end; ++i) rest_ += term(i);
    lanes_ = lanes;
  }
  double total() const {
    double sum = rest_;
    for (const double lane : lanes_) sum += lane;
    return sum;
  }

 private:
  static constexpr std::int64_t kLanes = 16;
  std::array<double, kLanes> lanes_{};
  double rest_ = 0;
};

// Sums in double. The order of the additions depends only on the length: pieces of kGrain, each in
// sixteen lanes.
double norm1(std::span<const float> x);                          // sum |x_i|
double sum_of_squares(std::span<const float> x);                 // sum x_i^2
double dot(std::span<const float> x, std::span<const float> y);  // sum x_i y_i

}  // namespace terse::kernels
