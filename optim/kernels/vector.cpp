#include "tersegrad/optim/kernels/vector.hpp"

#include <algorithm>
#include <cmath>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/simd/vectorized.hpp"

namespace terse::kernels {
namespace {

template <class Body>
void for_each(std::span<const float> x, std::span<float> y, Body body) {
  internal_check(x.size() == y.size(),
                 "kernels: expected vectors of equal size; got {} and {} values", x.size(),
                 y.size());
  const float* from = x.data();
  float* to = y.data();
  vectorized_for(std::ssize(x), kGrain, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) to[i] = body(from[i], to[i]);
  });
}

template <class Term>
double sum_of(std::int64_t n, Term term) {
  return vectorized_sum(n, kGrain, [=](std::int64_t begin, std::int64_t end) {
    LaneSum sum;
    sum.add(begin, end, term);
    return sum.total();
  });
}

}  // namespace

void clear(std::span<float> y) {
  parallel_for(std::ssize(y), kGrain, [&](std::int64_t begin, std::int64_t end) {
    std::fill(y.begin() + begin, y.begin() + end, 0.0F);  // becomes memset, which libc dispatches
  });
}

void copy_to(std::span<const float> x, std::span<float> y) {
  for_each(x, y, [](float from, float) { return from; });
}

void add_to(std::span<const float> x, std::span<float> y) {
  for_each(x, y, [](float from, float to) { return to + from; });
}

void add_scaled_to(std::span<const float> x, float scale, std::span<float> y) {
  for_each(x, y, [scale](float from, float to) { return to + scale * from; });
}

void subtract_from(std::span<const float> x, std::span<float> y) {
  for_each(x, y, [](float from, float to) { return to - from; });
}

void scale_to(std::span<const float> x, float scale, std::span<float> y) {
  for_each(x, y, [scale](float from, float) { return scale * from; });
}

void divide_to(std::span<const float> x, float divisor, std::span<float> y) {
  for_each(x, y, [divisor](float from, float) { return from / divisor; });
}

void blend_to(std::span<const float> x, float keep, float take, std::span<float> y) {
  for_each(x, y, [keep, take](float from, float to) { return keep * to + take * from; });
}

void step_estimate(std::span<float> h, float alpha, std::span<float> d) {
  internal_check(h.size() == d.size(),
                 "kernels: expected vectors of equal size; got {} and {} values", h.size(),
                 d.size());
  vectorized_for(std::ssize(h), kGrain,
                 [alpha, from = h.data(), to = d.data()](std::int64_t begin, std::int64_t end) {
                   for (auto i = begin; i < end; ++i) {
                     const float estimate = from[i], difference = to[i];
                     from[i] = estimate + alpha * difference;
                     to[i] = estimate + difference;
                   }
                 });
}

double norm1(std::span<const float> x) {
  return sum_of(std::ssize(x), [p = x.data()](std::int64_t i) { return std::abs(double{p[i]}); });
}

double sum_of_squares(std::span<const float> x) {
  return sum_of(std::ssize(x),
                [p = x.data()](std::int64_t i) { return double{p[i]} * double{p[i]}; });
}

double dot(std::span<const float> x, std::span<const float> y) {
  internal_check(x.size() == y.size(),
                 "kernels: expected vectors of equal size; got {} and {} values", x.size(),
                 y.size());
  return sum_of(std::ssize(x), [p = x.data(), q = y.data()](std::int64_t i) {
    return double{p[i]} * double{q[i]};
  });
}

}  // namespace terse::kernels
