// Naive code and claims for compressors that send every value: uncompressed, as a 16-bit float, as
// an 8-bit integer, or as one of two means.
#include "claims_of_values.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace terse {
namespace {

CompressorClaims none_claims() {
  return {.error = [](const auto&) { return 0.0; },
          .error_is_exact = true,
          .unbiased = true,
          .linear = true,
          .permutable = true,
          .rotatable = true,
          .payload_bytes = [](const Shapes& shapes) { return 4 * coordinates(shapes); },
          .reference = [](const Round&, const auto& workers) { return mean_of(workers); }};
}

// ---- 16 bits ------------------------------------------------------------------------------------

// x rounded to `digits` binary digits, to nearest, ties to even. No digit lies below 2^-last.
double rounded_to(double x, int digits, int last) {
  if (x == 0) return 0;
  const int exponent = std::max(std::ilogb(x) - digits + 1, -last);
  return std::ldexp(std::nearbyint(std::ldexp(x, -exponent)), exponent);
}

// Stochastic rounding of x to bfloat16 with a draw `chance` in [0, 1): the magnitude is rounded up
// with a probability equal to the discarded fraction.
double bf16_by_chance(float x, double chance) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const bool up = std::floor(chance * 65536) >= 65536 - (bits & 0xffff);
  const auto below = std::bit_cast<float>(bits & 0xffff0000U);
  return up ? std::bit_cast<float>((bits & 0xffff0000U) + 0x10000U) : below;
}

// The error of a value is at most half a step: relative where the value has all its digits, and
// absolute below.
CompressorClaims half_claims(int digits, int last) {
  return {.error =
              [=](const OwnedGradients& x) {
                double most = 0, all = 0;
                for (const float v : flat(x)) {
                  const double step =
                      std::max(std::abs(double{v}) * std::exp2(1 - digits), std::exp2(-last));
                  most += step * step / 4;
                  all += double{v} * v;
                }
                return most / all;
              },
          .permutable = true,
          .payload_bytes = [](const Shapes& shapes) { return 4 * words(16 * coordinates(shapes)); },
          .reference =
              [=](const Round&, const auto& workers) {
                return mean_reconstruction(workers, [&](auto, const OwnedTensor& x) {
                  std::vector<double> reconstruction;
                  for (const float v : x.values)
                    reconstruction.push_back(rounded_to(v, digits, last));
                  return reconstruction;
                });
              }};
}

CompressorClaims stochastic_bf16_claims() {
  auto claims = half_claims(7, 149);  // off by up to one step, not by half a step
  claims.unbiased = true;
  claims.permutable = false;
  claims.reference = [](const Round& round, const auto& workers) {
    return mean_reconstruction(workers, [&](std::uint32_t w, const OwnedTensor& x) {
      std::vector<double> reconstruction;
      for (std::size_t i = 0; i < x.values.size(); ++i) {
        reconstruction.push_back(bf16_by_chance(x.values[i], draw(round, w, x.id, i)));
      }
      return reconstruction;
    });
  };
  return claims;
}

struct SumOfHalves {
  int digits, last;  // as for rounded_to
  bool wide, divide_before;
};

OwnedGradients reference_sum(const SumOfHalves& of, const Workers& workers) {
  const auto round = [&](double x) {
    return static_cast<float>(rounded_to(x, of.digits, of.last));
  };
  const auto w = std::ssize(workers);
  const auto divisor = static_cast<float>(w);
  std::vector<std::vector<float>> halves;
  for (const auto& worker : workers) {
    halves.push_back(flat(worker));
    for (float& x : halves.back()) x = round(of.divide_before ? x / divisor : x);
  }
  const auto n = std::ssize(halves.front());
  auto result = zeros_like(workers[0]);
  std::int64_t place = 0, chunk = 0;
  for (auto& tensor : result) {
    for (float& value : tensor.values) {
      while (place >= n * (chunk + 1) / w) ++chunk;
      float sum = of.wide ? 0 : halves[(chunk + 1) % w][place];
      for (std::int64_t k = 0; of.wide && k < w; ++k) sum += halves[k][place];
      for (std::int64_t hop = 2; !of.wide && hop <= w; ++hop) {
        sum = round(sum + halves[(chunk + hop) % w][place]);
      }
      if (!of.divide_before) sum /= divisor;
      value = of.wide ? round(sum) : sum;
      ++place;
    }
  }
  return result;
}

CompressorClaims sum_claims(const SumOfHalves& of) {
  return {
      .error = [=](const auto&) { return std::exp2(-2.0 * of.digits); },
      .whole_model = !of.wide,
      .permutable = of.wide,
      .payload_bytes = [](const Shapes& shapes) { return 64 * ((coordinates(shapes) + 31) / 32); },
      .reference = [=](const Round&, const auto& workers) { return reference_sum(of, workers); }};
}

CompressorClaims stochastic_sum_claims(bool wide) {
  auto claims = sum_claims({.digits = 7, .last = 149, .wide = wide, .divide_before = false});
  claims.unbiased = true;
  claims.permutable = false;
  claims.reference = {};
  return claims;
}

// ---- 8-bit integers -----------------------------------------------------------------------------

CompressorClaims int8_claims(std::size_t bucket) {
  const auto each_range = [=](const OwnedTensor& x, auto body) {
    for_each_bucket(x.values.size(), bucket, [&](std::size_t begin, std::size_t end) {
      const auto [low, high] =
          std::minmax_element(x.values.begin() + begin, x.values.begin() + end);
      body(begin, end, double{*low}, double{*high});
    });
  };
  return {.error =
              [=](const OwnedGradients& x) {
                double lost = 0, all = 0;
                for (const auto& tensor : x) {
                  all += squares(tensor.values);
                  each_range(tensor, [&](auto begin, auto end, double low, double high) {
                    const double most = (high - low) / 510;
                    lost += most * most * static_cast<double>(end - begin);
                  });
                }
                return lost / all;
              },
          .permutable = bucket == 0,
          .payload_bytes =
              [=](const Shapes& shapes) {
                return bytes_by_tensor(
                    shapes, [=](std::size_t n) { return 64 * buckets(n, bucket) + 8 * n; });
              },
          .reference =
              [=](const Round&, const auto& workers) {
                return mean_reconstruction(workers, [&](auto, const OwnedTensor& x) {
                  std::vector<double> reconstruction(x.values.size());
                  each_range(x, [&](auto begin, auto end, double low, double high) {
                    const double step = (high - low) / 255;
                    for (auto i = begin; i < end; ++i) {
                      const double steps = step > 0 ? std::round((x.values[i] - low) / step) : 0;
                      reconstruction[i] = low + steps * step;
                    }
                  });
                  return reconstruction;
                });
              }};
}

// ---- one bit and two means per column -----------------------------------------------------------

std::vector<double> two_means(const OwnedTensor& x) {
  std::vector<double> reconstruction(x.values.size());
  for (std::int64_t j = 0; j < x.cols; ++j) {
    for (const bool negative : {false, true}) {
      std::vector<std::size_t> members;
      double sum = 0;
      for (std::int64_t i = 0; i < x.rows; ++i) {
        const auto at = static_cast<std::size_t>(i * x.cols + j);
        if ((x.values[at] < 0) != negative) continue;
        members.push_back(at);
        sum += x.values[at];
      }
      for (const auto at : members) reconstruction[at] = sum / static_cast<double>(members.size());
    }
  }
  return reconstruction;
}

CompressorClaims onebit_claims() {
  return {.error =
              [](const auto& x) {
                double lost = 0, all = 0;
                for (const auto& tensor : x) {
                  const auto reconstruction = two_means(tensor);
                  for (std::size_t i = 0; i < reconstruction.size(); ++i) {
                    lost += std::pow(reconstruction[i] - tensor.values[i], 2);
                  }
                  all += squares(tensor.values);
                }
                return lost / all;
              },
          .error_is_exact = true,
          .payload_bytes =
              [](const Shapes& shapes) {
                std::size_t columns = 0;
                for (const auto& [name, n, m, kernel] : shapes) {
                  columns += n > 0 ? static_cast<std::size_t>(m) : 0;
                }
                return 8 * columns + plane_bytes(shapes);
              },
          .reference =
              [](const Round&, const auto& workers) {
                return mean_reconstruction(workers,
                                           [](auto, const auto& x) { return two_means(x); });
              }};
}

}  // namespace

std::vector<ClaimedSpec> cast_claims() {
  return {{"none", none_claims()},
          {"fp16", half_claims(11, 24)},
          {"bf16", half_claims(8, 133)},
          {"bf16:stochastic", stochastic_bf16_claims()},
          {"fp16:reduce=wide", sum_claims({11, 24, true, false})},
          {"fp16:reduce=hop,divide=before", sum_claims({11, 24, false, true})},
          {"bf16:reduce=wide,divide=before", sum_claims({8, 133, true, true})},
          {"bf16:reduce=hop", sum_claims({8, 133, false, false})},
          {"bf16:stochastic,reduce=wide", stochastic_sum_claims(true)},
          {"bf16:stochastic,reduce=hop", stochastic_sum_claims(false)},
          {"int8", int8_claims(0)},
          {"int8:bucket=16", int8_claims(16)},
          {"onebit", onebit_claims()}};
}

}  // namespace terse
