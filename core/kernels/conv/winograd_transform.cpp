#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tersegrad/core/kernels/conv/winograd_transform.cpp"
#include <hwy/foreach_target.h>

#include "tersegrad/core/kernels/conv/winograd_transform.hpp"

#include <algorithm>
#include <cstring>

#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/kernels/transpose.hpp"
#include "tersegrad/core/simd/dispatch.hpp"
#include "tersegrad/core/simd/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {
namespace {

using namespace terse::kernels::winograd;
using Vector = FloatVector;

Vector constant(double value) {
  return hn::Set(kLanes, static_cast<float>(value));
}

// The points at which polynomials are evaluated: 0, ±kP, ±kQ and infinity. Each
// one-dimensional transform computes the points ±a together, as the sum and the difference of
// an even and an odd part.
constexpr double kP = 1, kQ = 2;
constexpr double kP2 = kP * kP, kQ2 = kQ * kQ;

// Bᵀ, applied to six pixels. Its rows are the coefficients of m(x) / (x - a), where m(x) is the
// product of (x - point) over the points.
struct FromInput {
  static constexpr int kIn = 6;
  static HWY_INLINE void apply(const Vector (&d)[6], Vector (&v)[6]) {
    const Vector p = constant(kP), q = constant(kQ), p2 = constant(kP2), q2 = constant(kQ2);
    const Vector sum = constant(kP2 + kQ2), product = constant(kP2 * kQ2);
    const Vector even_p = hn::NegMulAdd(q2, d[2], d[4]), odd_p = hn::NegMulAdd(q2, d[1], d[3]);
    const Vector even_q = hn::NegMulAdd(p2, d[2], d[4]), odd_q = hn::NegMulAdd(p2, d[1], d[3]);
    v[0] = hn::MulAdd(product, d[0], hn::NegMulAdd(sum, d[2], d[4]));
    v[1] = hn::MulAdd(p, odd_p, even_p);
    v[2] = hn::NegMulAdd(p, odd_p, even_p);
    v[3] = hn::MulAdd(q, odd_q, even_q);
    v[4] = hn::NegMulAdd(q, odd_q, even_q);
    v[5] = hn::MulAdd(product, d[1], hn::NegMulAdd(sum, d[3], d[5]));
  }
};

// A, applied to four gradients of y. Its rows are the powers 0 to 3 of the points.
struct FromOutputGradient {
  static constexpr int kIn = 4;
  static HWY_INLINE void apply(const Vector (&y)[4], Vector (&v)[6]) {
    const Vector p = constant(kP), q = constant(kQ), p2 = constant(kP2), q2 = constant(kQ2);
    const Vector even_p = hn::MulAdd(p2, y[2], y[0]), odd_p = hn::MulAdd(p2, y[3], y[1]);
    const Vector even_q = hn::MulAdd(q2, y[2], y[0]), odd_q = hn::MulAdd(q2, y[3], y[1]);
    v[0] = y[0];
    v[1] = hn::MulAdd(p, odd_p, even_p);
    v[2] = hn::NegMulAdd(p, odd_p, even_p);
    v[3] = hn::MulAdd(q, odd_q, even_q);
    v[4] = hn::NegMulAdd(q, odd_q, even_q);
    v[5] = y[3];
  }
};

// Aᵀ, which gives four pixels of y.
HWY_INLINE void to_output(const Vector (&m)[6], Vector (&y)[4]) {
  const Vector sum_p = hn::Add(m[1], m[2]), difference_p = hn::Sub(m[1], m[2]);
  const Vector sum_q = hn::Add(m[3], m[4]), difference_q = hn::Sub(m[3], m[4]);
  y[0] = hn::Add(m[0], hn::Add(sum_p, sum_q));
  y[1] = hn::MulAdd(constant(kQ), difference_q, hn::Mul(constant(kP), difference_p));
  y[2] = hn::MulAdd(constant(kQ2), sum_q, hn::Mul(constant(kP2), sum_p));
  y[3] = hn::MulAdd(constant(kP2 * kP), difference_p,
                    hn::MulAdd(constant(kQ2 * kQ), difference_q, m[5]));
}

// G, applied to three weights. Its rows are (1, a, a²) / f(a), where f(a) is the product of
// (a - point) over the other points.
constexpr double kAtZero = 1 / (kP2 * kQ2);
constexpr double kAtP = 1 / (2 * kP2 * (kP2 - kQ2)), kAtQ = 1 / (2 * kQ2 * (kQ2 - kP2));

HWY_INLINE void from_weights(const Vector (&w)[3], Vector (&u)[6]) {
  const Vector even_p = hn::MulAdd(constant(kP2 * kAtP), w[2], hn::Mul(constant(kAtP), w[0]));
  const Vector even_q = hn::MulAdd(constant(kQ2 * kAtQ), w[2], hn::Mul(constant(kAtQ), w[0]));
  u[0] = hn::Mul(constant(kAtZero), w[0]);
  u[1] = hn::MulAdd(constant(kP * kAtP), w[1], even_p);
  u[2] = hn::NegMulAdd(constant(kP * kAtP), w[1], even_p);
  u[3] = hn::MulAdd(constant(kQ * kAtQ), w[1], even_q);
  u[4] = hn::NegMulAdd(constant(kQ * kAtQ), w[1], even_q);
  u[5] = w[2];
}

// Gᵀ, which gives three gradients of w.
HWY_INLINE void to_weights(const Vector (&u)[6], Vector (&w)[3]) {
  const Vector sum_p = hn::Add(u[1], u[2]), difference_p = hn::Sub(u[1], u[2]);
  const Vector sum_q = hn::Add(u[3], u[4]), difference_q = hn::Sub(u[3], u[4]);
  w[0] = hn::MulAdd(constant(kAtZero), u[0],
                    hn::MulAdd(constant(kAtP), sum_p, hn::Mul(constant(kAtQ), sum_q)));
  w[1] = hn::MulAdd(constant(kP * kAtP), difference_p, hn::Mul(constant(kQ * kAtQ), difference_q));
  w[2] = hn::MulAdd(constant(kP2 * kAtP), sum_p, hn::MulAdd(constant(kQ2 * kAtQ), sum_q, u[5]));
}

template <int kCount>
HWY_INLINE void load(const float* from, std::int64_t step, Vector (&to)[kCount]) {
  for (int i = 0; i < kCount; ++i) to[i] = hn::LoadU(kLanes, from + i * step);
}
template <int kCount>
HWY_INLINE void store(const Vector (&from)[kCount], float* to, std::int64_t step) {
  for (int i = 0; i < kCount; ++i) hn::StoreU(from[i], kLanes, to + i * step);
}

// The pixels of one band, (rows, width, block), zero outside the image. With a border (6 rows
// instead of 4) adjacent bands share two rows, which are kept for the next band.
class BandReader {
 public:
  BandReader(const Images& images, std::int64_t rows)
      : images_(images),
        rows_(rows),
        border_((rows - 4) / 2),
        block_(images.block.vectors * kWidth),
        row_size_(width() * block_),
        pixels_(rows * row_size_) {
    std::ranges::fill(pixels_.span(), 0.0F);
  }
  std::int64_t width() const { return 4 * images_.tile_columns() + 2 * border_; }

  const float* read(const float* x, std::int64_t block, std::int64_t band, bool follows) {
    const std::int64_t image = band / images_.tile_rows(), first = band % images_.tile_rows();
    const std::int64_t kept = follows && first > 0 ? 2 * border_ : 0;
    std::memmove(pixels_.data(), pixels_.data() + 4 * row_size_,
                 static_cast<std::size_t>(kept * row_size_) * sizeof(float));
    const std::int64_t channel = block * block_;
    const float* from = x + (image * images_.channels + channel) * images_.h * images_.w;
    for (std::int64_t i = kept; i < rows_; ++i) {
      const std::int64_t row = 4 * first + i - border_;
      float* to = pixels_.data() + i * row_size_;
      if (row < 0 || row >= images_.h) {
        std::fill(to, to + row_size_, 0.0F);
        continue;
      }
      transpose(std::min(images_.channels - channel, block_), images_.w, from + row * images_.w,
                images_.h * images_.w, to + border_ * block_, block_);
    }
    return pixels_.data();
  }

 private:
  Images images_;
  std::int64_t rows_, border_, block_, row_size_;
  Buffer<float> pixels_;
};

template <class Transform>
void transform_bands(const Images& images, const float* x, const Bands& bands,
                     const PlaneLayout& layout, float* planes) {
  constexpr int kIn = Transform::kIn;
  const int vectors = images.block.vectors;
  const std::int64_t block = vectors * kWidth, vector = kWidth;
  BandReader reader(images, kIn);
  const std::int64_t row = reader.width() * block;
  Buffer<float> columns(6 * row);  // the band, transformed along columns
  for (std::int64_t b = 0; b < images.block.count(images.channels); ++b) {
    float* to = planes + b * layout.block;
    for (std::int64_t band = bands.begin; band < bands.end; ++band) {
      const float* pixels = reader.read(x, b, band, band > bands.begin);
      for (std::int64_t i = 0; i < row; i += vector) {
        Vector in[kIn], out[6];
        load(pixels + i, row, in);
        Transform::apply(in, out);
        store(out, columns.data() + i, row);
      }
      for (std::int64_t t = 0; t < images.tile_columns(); ++t, to += layout.tile) {
        for (int i = 0; i < 6; ++i) {
          for (int v = 0; v < vectors; ++v) {
            Vector in[kIn], out[6];
            load(columns.data() + i * row + 4 * t * block + v * vector, block, in);
            Transform::apply(in, out);
            store(out, to + 6 * i * layout.plane + v * vector, layout.plane);
          }
        }
      }
    }
  }
}

}  // namespace

void input_planes_at_level(const Images& images, const float* x, const Bands& bands,
                           const PlaneLayout& layout, float* planes) {
  transform_bands<FromInput>(images, x, bands, layout, planes);
}

void output_gradient_planes_at_level(const Images& images, const float* dy, const Bands& bands,
                                     const PlaneLayout& layout, float* planes) {
  transform_bands<FromOutputGradient>(images, dy, bands, layout, planes);
}

void output_pixels_at_level(const Images& images, std::int64_t block, const Bands& bands,
                            const PlaneLayout& layout, const float* planes, const float* bias,
                            float* y) {
  const int vectors = images.block.vectors;
  const std::int64_t width = vectors * kWidth, vector = kWidth;
  const std::int64_t row = 4 * images.tile_columns() * width, plane_size = images.h * images.w;
  const std::int64_t channels = std::min(images.channels - block * width, width);
  Buffer<float> pixels(4 * row), start(width);
  std::ranges::fill(start.span(), 0.0F);
  if (bias != nullptr) std::copy_n(bias + block * width, channels, start.data());
  for (std::int64_t band = bands.begin; band < bands.end; ++band) {
    for (std::int64_t t = 0; t < images.tile_columns(); ++t, planes += layout.tile) {
      for (int v = 0; v < vectors; ++v) {
        Vector columns[6][4];
        for (int j = 0; j < 6; ++j) {
          Vector in[6];
          load(planes + j * layout.plane + v * vector, 6 * layout.plane, in);
          to_output(in, columns[j]);
        }
        const Vector first = hn::LoadU(kLanes, start.data() + v * vector);
        for (int i = 0; i < 4; ++i) {
          const Vector in[6] = {columns[0][i], columns[1][i], columns[2][i],
                                columns[3][i], columns[4][i], columns[5][i]};
          Vector out[4];
          to_output(in, out);
          for (auto& pixel : out) pixel = hn::Add(pixel, first);
          store(out, pixels.data() + i * row + 4 * t * width + v * vector, width);
        }
      }
    }
    const std::int64_t top = band % images.tile_rows() * 4;
    float* to = y + (band / images.tile_rows() * images.channels + block * width) * plane_size +
                top * images.w;
    const std::int64_t rows = std::min<std::int64_t>(4, images.h - top);
    // Without partial tiles the rows of pixels are contiguous: they are transposed all at once.
    const std::int64_t at_once = images.w % 4 == 0 ? rows : 1;
    for (std::int64_t i = 0; i < rows; i += at_once) {
      transpose(at_once * images.w, channels, pixels.data() + i * row, width, to + i * images.w,
                plane_size);
    }
  }
}

void weight_planes_at_level(const Weights& weights, std::int64_t block, std::int64_t begin,
                            std::int64_t end, std::int64_t plane, float* planes) {
  const int vectors = weights.block.vectors;
  const std::int64_t width = vectors * kWidth, vector = kWidth, first = block * width;
  const std::int64_t out = std::min(weights.out() - first, width);
  // Strides of output channels and of input channels.
  const std::int64_t out_step = weights.rotated ? 9 : weights.c * 9;
  const std::int64_t in_step = weights.rotated ? weights.c * 9 : 9;
  Buffer<float> taps(9 * width);  // taps of one input channel: (tap, block)
  std::ranges::fill(taps.span(), 0.0F);
  for (std::int64_t in = begin; in < end; ++in) {
    const float* from = weights.values + first * out_step + in * in_step;
    transpose(out, 9, from, out_step, taps.data(), width);
    for (int v = 0; v < vectors; ++v) {
      Vector columns[3][6];
      for (int s = 0; s < 3; ++s) {
        Vector column[3];
        for (int r = 0; r < 3; ++r) {
          const int tap = weights.rotated ? 8 - 3 * r - s : 3 * r + s;
          column[r] = hn::LoadU(kLanes, taps.data() + tap * width + v * vector);
        }
        from_weights(column, columns[s]);
      }
      for (int i = 0; i < 6; ++i) {
        const Vector row[3] = {columns[0][i], columns[1][i], columns[2][i]};
        Vector u[6];
        from_weights(row, u);
        store(u, planes + 6 * i * plane + (in - begin) * width + v * vector, plane);
      }
    }
  }
}

void weight_gradient_at_level(const WeightSums& sums, std::int64_t block, std::int64_t begin,
                              std::int64_t end, std::int64_t k, std::int64_t c, float* dw) {
  const int vectors = sums.block.vectors;
  const std::int64_t width = vectors * kWidth, vector = kWidth, first = block * width;
  Buffer<float> taps((end - begin) * 9 * width);  // (channel, tap, block)
  for (std::int64_t i = 0; i < end - begin; ++i) {
    for (int v = 0; v < vectors; ++v) {
      const float* from = sums.planes + i * width + v * vector;
      Vector columns[6][3];
      for (int col = 0; col < 6; ++col) {
        Vector u[6];
        load(from + col * sums.plane, 6 * sums.plane, u);
        for (std::int64_t slot = 1; slot < sums.count; ++slot) {
          Vector more[6];
          load(from + slot * sums.slot + col * sums.plane, 6 * sums.plane, more);
          for (int r = 0; r < 6; ++r) u[r] = hn::Add(u[r], more[r]);
        }
        to_weights(u, columns[col]);
      }
      for (int r = 0; r < 3; ++r) {
        const Vector row[6] = {columns[0][r], columns[1][r], columns[2][r],
                               columns[3][r], columns[4][r], columns[5][r]};
        Vector w[3];
        to_weights(row, w);
        store(w, taps.data() + (i * 9 + 3 * r) * width + v * vector, width);
      }
    }
  }
  transpose((end - begin) * 9, std::min(k - first, width), taps.data(), width,
            dw + (first * c + begin) * 9, c * 9);
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace terse::kernels {

HWY_EXPORT(input_planes_at_level);
HWY_EXPORT(output_gradient_planes_at_level);
HWY_EXPORT(output_pixels_at_level);
HWY_EXPORT(weight_planes_at_level);
HWY_EXPORT(weight_gradient_at_level);

namespace winograd {

void input_planes(const Images& images, const float* x, const Bands& bands,
                  const PlaneLayout& layout, float* planes) {
  TERSE_DISPATCH(input_planes_at_level)(images, x, bands, layout, planes);
}
void output_gradient_planes(const Images& images, const float* dy, const Bands& bands,
                            const PlaneLayout& layout, float* planes) {
  TERSE_DISPATCH(output_gradient_planes_at_level)(images, dy, bands, layout, planes);
}
void output_pixels(const Images& images, std::int64_t block, const Bands& bands,
                   const PlaneLayout& layout, const float* planes, const float* bias, float* y) {
  TERSE_DISPATCH(output_pixels_at_level)(images, block, bands, layout, planes, bias, y);
}
void weight_planes(const Weights& weights, std::int64_t block, std::int64_t begin, std::int64_t end,
                   std::int64_t plane, float* planes) {
  TERSE_DISPATCH(weight_planes_at_level)(weights, block, begin, end, plane, planes);
}
void weight_gradient(const WeightSums& sums, std::int64_t block, std::int64_t begin,
                     std::int64_t end, std::int64_t k, std::int64_t c, float* dw) {
  TERSE_DISPATCH(weight_gradient_at_level)(sums, block, begin, end, k, c, dw);
}

}  // namespace winograd

}  // namespace terse::kernels
#endif
