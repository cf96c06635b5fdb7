// Depthwise convolution: every group has one input channel, so y[k] is one filtered plane of x.
// The work has no matrix products: for each tap, a shifted and scaled row of pixels is added to
// another. A task processes whole planes. The gradient of one filter is summed by one task,
// image by image.
#include <algorithm>

#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/kernels/conv/conv2d.hpp"
#include "tersegrad/core/simd/vectorized.hpp"

namespace terse::kernels::depthwise {
namespace {

// y[q] += w · x[q · stride].
void add_row(std::int64_t n, float w, const float* x, std::int64_t stride, float* y) {
  if (stride == 1) {
    for (std::int64_t q = 0; q < n; ++q) y[q] += w * x[q];
  } else {
    for (std::int64_t q = 0; q < n; ++q) y[q] += w * x[q * stride];
  }
}

// The adjoint: x[q · stride] += w · y[q].
void spread_row(std::int64_t n, float w, const float* y, float* x, std::int64_t stride) {
  if (stride == 1) {
    for (std::int64_t q = 0; q < n; ++q) x[q] += w * y[q];
  } else {
    for (std::int64_t q = 0; q < n; ++q) x[q * stride] += w * y[q];
  }
}

constexpr std::int64_t kLanes = 8;  // independent sums, so that the loop vectorises

// Adds the products x[q · stride] · y[q] to the lanes: lane i gets those of q mod kLanes = i.
void add_products(std::int64_t n, const float* x, std::int64_t stride, const float* y,
                  float (&lanes)[kLanes]) {
  std::int64_t q = 0;
  for (; q + kLanes <= n; q += kLanes)
    for (std::int64_t i = 0; i < kLanes; ++i) lanes[i] += x[(q + i) * stride] * y[q + i];
  for (std::int64_t i = 0; q < n; ++q, ++i) lanes[i] += x[q * stride] * y[q];
}

// One zero-padded plane of x.
struct Padded {
  explicit Padded(const ConvShape& shape)
      : a(shape), width(a.w + 2 * a.padding), values((a.h + 2 * a.padding) * width) {
    clear();
  }
  void clear() { std::ranges::fill(values.span(), 0.0F); }
  void read(const float* x) {
    for (std::int64_t i = 0; i < a.h; ++i)
      std::copy_n(x + i * a.w, a.w, values.data() + (i + a.padding) * width + a.padding);
  }
  void write(float* x) const {
    for (std::int64_t i = 0; i < a.h; ++i)
      std::copy_n(values.data() + (i + a.padding) * width + a.padding, a.w, x + i * a.w);
  }
  // The first element that tap (r, s) reads for output row p.
  float* at(std::int64_t p, std::int64_t r, std::int64_t s) {
    return values.data() + (p * a.stride + r) * width + s;
  }

  ConvShape a;
  std::int64_t width;
  Buffer<float> values;
};

// Planes in one task: about 100 000 products.
std::int64_t plane_grain(const ConvShape& a) {
  return 100'000 / std::max<std::int64_t>(1, a.p() * a.q() * a.r * a.s) + 1;
}

}  // namespace

void conv2d_forward(const ConvShape& shape, std::span<const real> x, std::span<const real> w,
                    std::span<const real> bias, std::span<real> y) {
  const auto& a = shape;
  const std::int64_t per_channel = a.k / a.c, p_count = a.p(), q_count = a.q();
  vectorized_for(a.n * a.k, plane_grain(a), [&](std::int64_t begin, std::int64_t end) {
    Padded padded(a);
    for (std::int64_t nk = begin; nk < end; ++nk) {
      const std::int64_t n = nk / a.k, k = nk % a.k;
      padded.read(x.data() + (n * a.c + k / per_channel) * a.h * a.w);
      float* to = y.data() + nk * p_count * q_count;
      std::fill_n(to, p_count * q_count, bias.empty() ? 0.0F : *(bias.data() + k));
      for (std::int64_t p = 0; p < p_count; ++p)
        for (std::int64_t r = 0; r < a.r; ++r)
          for (std::int64_t s = 0; s < a.s; ++s)
            add_row(q_count, *(w.data() + (k * a.r + r) * a.s + s), padded.at(p, r, s), a.stride,
                    to + p * q_count);
    }
  });
}

void conv2d_data_gradient(const ConvShape& shape, std::span<const real> dy, std::span<const real> w,
                          std::span<real> dx) {
  const auto& a = shape;
  const std::int64_t per_channel = a.k / a.c, p_count = a.p(), q_count = a.q();
  vectorized_for(a.n * a.c, plane_grain(a), [&](std::int64_t begin, std::int64_t end) {
    Padded padded(a);
    for (std::int64_t nc = begin; nc < end; ++nc) {
      padded.clear();
      for (std::int64_t i = nc * per_channel; i < (nc + 1) * per_channel; ++i) {
        const float* taps = w.data() + i % a.k * a.r * a.s;
        for (std::int64_t p = 0; p < p_count; ++p)
          for (std::int64_t r = 0; r < a.r; ++r)
            for (std::int64_t s = 0; s < a.s; ++s)
              spread_row(q_count, taps[r * a.s + s], dy.data() + (i * p_count + p) * q_count,
                         padded.at(p, r, s), a.stride);
      }
      padded.write(dx.data() + nc * a.h * a.w);
    }
  });
}

void conv2d_weight_gradient(const ConvShape& shape, std::span<const real> x,
                            std::span<const real> dy, std::span<real> dw) {
  const auto& a = shape;
  const std::int64_t per_channel = a.k / a.c, p_count = a.p(), q_count = a.q();
  vectorized_for(a.k, 1, [&](std::int64_t k, std::int64_t) {
    Padded padded(a);
    Buffer<double> sums(a.r * a.s);
    std::ranges::fill(sums.span(), 0.0);
    for (std::int64_t n = 0; n < a.n; ++n) {
      padded.read(x.data() + (n * a.c + k / per_channel) * a.h * a.w);
      const float* gradient = dy.data() + (n * a.k + k) * p_count * q_count;
      for (std::int64_t tap = 0; tap < a.r * a.s; ++tap) {
        float lanes[kLanes] = {};
        for (std::int64_t p = 0; p < p_count; ++p)
          add_products(q_count, padded.at(p, tap / a.s, tap % a.s), a.stride,
                       gradient + p * q_count, lanes);
        for (const float lane : lanes) sums[tap] += static_cast<double>(lane);
      }
    }
    std::ranges::transform(sums.span(), dw.data() + k * a.r * a.s,
                           [](double sum) { return static_cast<float>(sum); });
  });
}

}  // namespace terse::kernels::depthwise
