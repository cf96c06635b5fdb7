// Batch normalisation and its gradient. A task processes whole channels, so the order of every sum
// is fixed, and each channel is read from memory as few times as the formulas allow.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tersegrad/core/kernels/batch_norm.cpp"
#include <hwy/foreach_target.h>

#include "tersegrad/core/kernels/batch_norm.hpp"

#include <algorithm>
#include <cmath>

#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/kernels/vector_sums-inl.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/simd/dispatch.hpp"

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {
namespace {

// Channels in one task: about 32 000 elements.
std::int64_t channel_grain(const ChannelShape& a) {
  return std::max<std::int64_t>(1, 32'768 / std::max<std::int64_t>(1, a.per_channel()));
}

std::int64_t plane_at(const ChannelShape& a, std::int64_t image, std::int64_t channel) {
  return (image * a.c + channel) * a.pixels;
}

struct Moments {
  double mean, variance;
};

// The mean and the biased variance of one channel. Each plane is read twice while it is in the L1
// cache: first for its sum, then for the squares of deviations from its own mean. The planes are
// then combined by the deviations of their means from the mean of the channel. No step subtracts
// large numbers that are nearly equal.
Moments channel_moments(const ChannelShape& a, const real* x, std::int64_t channel,
                        Buffer<double>& plane_means) {
  const auto pixels = static_cast<double>(a.pixels);
  double total = 0, squares = 0;
  for (std::int64_t i = 0; i < a.n; ++i) {
    const real* plane = x + plane_at(a, i, channel);
    const auto sum = sum_terms<1>(
        a.pixels, [plane](auto d, std::int64_t t, auto* v) { v[0] = hn::LoadU(d, plane + t); });
    const auto mean = static_cast<real>(sum.total[0] / pixels);
    const auto about = sum_terms<2>(a.pixels, [plane, mean](auto d, std::int64_t t, auto* v) {
      v[0] = hn::Sub(hn::LoadU(d, plane + t), hn::Set(d, mean));
      v[1] = hn::Mul(v[0], v[0]);
    });
    // Corrects the rounding error of the mean, which is small.
    plane_means[i] = static_cast<double>(mean) + about.total[0] / pixels;
    squares += about.total[1] - about.total[0] * about.total[0] / pixels;
    total += plane_means[i] * pixels;
  }
  const auto count = static_cast<double>(a.per_channel());
  const double mean = total / count;
  for (std::int64_t i = 0; i < a.n; ++i) {
    squares += pixels * (plane_means[i] - mean) * (plane_means[i] - mean);
  }
  return {mean, squares / count};
}

// y = relu?( slope (x - mean) + offset + residual? ) for one channel. The mean is subtracted first,
// so that a channel far from zero keeps its precision.
template <bool kResidual, bool kRelu>
void apply_channel(const ChannelShape& a, const BatchNormForward& in, std::int64_t channel,
                   real slope, real mean, real offset, real* y) {
  for (std::int64_t i = 0; i < a.n; ++i) {
    const std::int64_t at = plane_at(a, i, channel);
    const real* x = in.x.data() + at;
    const real* residual = kResidual ? in.residual.data() + at : nullptr;
    real* to = y + at;
    for (std::int64_t t = 0; t < a.pixels; ++t) {
      real value = slope * (x[t] - mean) + offset;
      if constexpr (kResidual) value += residual[t];
      if constexpr (kRelu) value = value < 0 ? real{0} : value;
      to[t] = value;
    }
  }
}

void apply_channel(const ChannelShape& a, const BatchNormForward& in, std::int64_t channel,
                   const Moments& moments, real* y) {
  const auto c = static_cast<std::size_t>(channel);
  const double slope = static_cast<double>(in.gamma[c]) / std::sqrt(moments.variance + in.eps);
  const auto s = static_cast<real>(slope);
  const auto mean = static_cast<real>(moments.mean);
  // The offset corrects the rounding error of the mean. An infinite slope gets no correction: the
  // sign of slope · left would depend on the last bit of the mean.
  const double left = moments.mean - static_cast<double>(mean);
  const double correction = std::isfinite(slope) ? slope * left : 0;
  const auto offset = static_cast<real>(static_cast<double>(in.beta[c]) - correction);
  const bool residual = !in.residual.empty();
  const auto apply = residual
                         ? (in.relu ? apply_channel<true, true> : apply_channel<true, false>)
                         : (in.relu ? apply_channel<false, true> : apply_channel<false, false>);
  apply(a, in, channel, s, mean, offset, y);
}

// The backward pass of one channel. dz is dy where ReLU passed the value, otherwise 0.
struct ChannelGradient {
  const ChannelShape& a;
  const BatchNormBackward& in;
  real *dx, *dresidual;  // dresidual may be null

  // Returns sum dz and sum dz (x - mean); writes dresidual = dz.
  template <bool kRelu, bool kResidual>
  Sums<2> sums(std::int64_t channel, real mean) const {
    Sums<2> all;
    for (std::int64_t i = 0; i < a.n; ++i) {
      const std::int64_t at = plane_at(a, i, channel);
      const real *dy = in.dy.data() + at, *x = in.x.data() + at;
      const real* y = kRelu ? in.y.data() + at : nullptr;
      real* dr = kResidual ? dresidual + at : nullptr;
      const auto plane = sum_terms<2>(a.pixels, [=](auto d, std::int64_t t, auto* v) {
        v[0] = hn::LoadU(d, dy + t);
        if constexpr (kRelu) {
          v[0] = hn::IfThenElseZero(hn::Gt(hn::LoadU(d, y + t), hn::Zero(d)), v[0]);
        }
        if constexpr (kResidual) hn::StoreU(v[0], d, dr + t);
        v[1] = hn::Mul(v[0], hn::Sub(hn::LoadU(d, x + t), hn::Set(d, mean)));
      });
      all.total[0] += plane.total[0];
      all.total[1] += plane.total[1];
    }
    return all;
  }

  // dx = slope dz - tilt (x - mean) - offset
  template <bool kRelu>
  void data(std::int64_t channel, real slope, real tilt, real mean, real offset) const {
    for (std::int64_t i = 0; i < a.n; ++i) {
      const std::int64_t at = plane_at(a, i, channel);
      const real *dy = in.dy.data() + at, *x = in.x.data() + at;
      const real* y = kRelu ? in.y.data() + at : nullptr;
      real* to = dx + at;
      for (std::int64_t t = 0; t < a.pixels; ++t) {
        const real dz = !kRelu || y[t] > 0 ? dy[t] : real{0};
        to[t] = slope * dz - tilt * (x[t] - mean) - offset;
      }
    }
  }
};

}  // namespace

void forward_at_level(const ChannelShape& a, const BatchNormForward& in, std::span<real> mean,
                      std::span<real> variance, std::span<real> y) {
  parallel_for(a.c, channel_grain(a), [&](std::int64_t begin, std::int64_t end) {
    Buffer<double> plane_means(a.n);
    for (std::int64_t channel = begin; channel < end; ++channel) {
      const auto moments = channel_moments(a, in.x.data(), channel, plane_means);
      mean[static_cast<std::size_t>(channel)] = static_cast<real>(moments.mean);
      variance[static_cast<std::size_t>(channel)] = static_cast<real>(moments.variance);
      apply_channel(a, in, channel, moments, y.data());
    }
  });
}

void apply_at_level(const ChannelShape& a, const BatchNormForward& in, std::span<const real> mean,
                    std::span<const real> variance, std::span<real> y) {
  parallel_for(a.c, channel_grain(a), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t channel = begin; channel < end; ++channel) {
      const auto c = static_cast<std::size_t>(channel);
      apply_channel(a, in, channel,
                    {static_cast<double>(mean[c]), static_cast<double>(variance[c])}, y.data());
    }
  });
}

// With x̂ = (x - mean) / deviation, M elements in a channel, and dz = dy where y > 0, otherwise 0:
//
//   dgamma = sum dz x̂        dbeta = sum dz        dresidual = dz
//   dx = gamma / deviation (dz - dbeta / M - x̂ dgamma / M)
//
// If the statistics do not depend on x, the last two terms of dx are absent.
void backward_at_level(const ChannelShape& a, const BatchNormBackward& in, std::span<real> dx,
                       std::span<real> dgamma, std::span<real> dbeta, std::span<real> dresidual) {
  const bool relu = !in.y.empty();
  const ChannelGradient gradient{a, in, dx.data(), dresidual.empty() ? nullptr : dresidual.data()};
  const double share =
      in.batch_statistics ? 1 / static_cast<double>(std::max<std::int64_t>(1, a.per_channel())) : 0;
  parallel_for(a.c, channel_grain(a), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t channel = begin; channel < end; ++channel) {
      const auto c = static_cast<std::size_t>(channel);
      const real mean = in.mean[c];
      const auto sums = [&] {
        if (dresidual.empty()) {
          return relu ? gradient.sums<true, false>(channel, mean)
                      : gradient.sums<false, false>(channel, mean);
        }
        return relu ? gradient.sums<true, true>(channel, mean)
                    : gradient.sums<false, true>(channel, mean);
      }();
      const double inverse = 1 / std::sqrt(static_cast<double>(in.variance[c]) + in.eps);
      const double slope = static_cast<double>(in.gamma[c]) * inverse;
      dbeta[c] = static_cast<real>(sums.total[0]);
      dgamma[c] = static_cast<real>(sums.total[1] * inverse);
      const auto tilt = static_cast<real>(slope * inverse * inverse * sums.total[1] * share);
      const auto offset = static_cast<real>(slope * sums.total[0] * share);
      const auto s = static_cast<real>(slope);
      if (relu) {
        gradient.data<true>(channel, s, tilt, mean, offset);
      } else {
        gradient.data<false>(channel, s, tilt, mean, offset);
      }
    }
  });
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace terse::kernels {

HWY_EXPORT(forward_at_level);
HWY_EXPORT(apply_at_level);
HWY_EXPORT(backward_at_level);

void batch_norm_forward(const ChannelShape& a, const BatchNormForward& in, std::span<real> mean,
                        std::span<real> variance, std::span<real> y) {
  TERSE_DISPATCH(forward_at_level)(a, in, mean, variance, y);
}
void batch_norm_apply(const ChannelShape& a, const BatchNormForward& in, std::span<const real> mean,
                      std::span<const real> variance, std::span<real> y) {
  TERSE_DISPATCH(apply_at_level)(a, in, mean, variance, y);
}
void batch_norm_backward(const ChannelShape& a, const BatchNormBackward& in, std::span<real> dx,
                         std::span<real> dgamma, std::span<real> dbeta, std::span<real> dresidual) {
  TERSE_DISPATCH(backward_at_level)(a, in, dx, dgamma, dbeta, dresidual);
}

}  // namespace terse::kernels
#endif
