// Naive code and claims for compressors that round values to levels of a norm or to powers of two.
#include "claims_of_values.hpp"

#include <algorithm>
#include <cmath>

namespace terse {
namespace {

// ---- levels of a norm ---------------------------------------------------------------------------

struct LevelForm {
  double levels;
  std::size_t bucket;
  bool max_norm;

  double norm(const std::vector<float>& x, std::size_t begin, std::size_t end) const {
    double sum = 0, largest = 0;
    for (auto i = begin; i < end; ++i) {
      sum += double{x[i]} * x[i];
      largest = std::max(largest, std::abs(double{x[i]}));
    }
    return max_norm ? largest : std::sqrt(sum);
  }

  std::vector<double> reconstruct(const Round& round, std::uint32_t worker,
                                  const OwnedTensor& x) const {
    std::vector<double> result(x.values.size());
    for_each_bucket(result.size(), bucket, [&](std::size_t begin, std::size_t end) {
      const double n = norm(x.values, begin, end);
      for (auto i = begin; i < end; ++i) {
        const double level = levels * std::abs(double{x.values[i]}) / n;
        const bool up = draw(round, worker, x.id, i) < level - std::floor(level);
        result[i] = std::copysign(n / levels * (std::floor(level) + (up ? 1 : 0)), x.values[i]);
      }
    });
    return result;
  }

  // E |C(x) - x|^2 / |x|^2. Every value is rounded to one of its two neighbouring levels.
  double error(const OwnedGradients& x) const {
    double lost = 0, all = 0;
    for (const auto& tensor : x) {
      all += squares(tensor.values);
      for_each_bucket(tensor.values.size(), bucket, [&](std::size_t begin, std::size_t end) {
        const double step = norm(tensor.values, begin, end) / levels;
        for (auto i = begin; i < end; ++i) {
          const double level = std::abs(double{tensor.values[i]}) / step;
          const double part = level - std::floor(level);
          lost += step * step * part * (1 - part);
        }
      });
    }
    return lost / all;
  }
};

CompressorClaims qsgd_claims(LevelForm form, std::size_t bits, bool plain = true) {
  CompressorClaims claims{.error = [=](const auto& x) { return form.error(x); },
                          .error_is_exact = true,
                          .unbiased = true,
                          .reference =
                              [=](const Round& round, const auto& workers) {
                                return mean_reconstruction(workers, [&](auto w, const auto& x) {
                                  return form.reconstruct(round, w, x);
                                });
                              }};
  if (plain) {
    claims.payload_bytes = [=](const Shapes& shapes) {
      return bytes_by_tensor(
          shapes, [=](std::size_t n) { return 32 * (buckets(n, form.bucket) + words(n * bits)); });
    };
  }
  return claims;
}

// ---- TernGrad -----------------------------------------------------------------------------------

double clip_limit(const std::vector<float>& x, double clip) {
  double mean = 0, spread = 0;
  for (const float v : x) mean += v / static_cast<double>(x.size());
  for (const float v : x) spread += (v - mean) * (v - mean) / static_cast<double>(x.size());
  const double limit = clip * std::sqrt(spread);
  return limit > 0 ? limit : HUGE_VAL;
}

double limited_scale(const std::vector<float>& x, double clip) {
  double largest = 0;
  for (const float v : x) largest = std::max(largest, std::abs(double{v}));
  return std::min(largest, clip_limit(x, clip));
}

struct TernaryForm {
  double clip = 0;
  bool shared = false;
  std::size_t bucket = 0;

  std::vector<double> reconstruct(const Round& round, std::uint32_t w, const OwnedTensor& x,
                                  const Workers& workers) const {
    std::vector<double> reconstruction(x.values.size());
    for_each_bucket(x.values.size(), bucket, [&](std::size_t begin, std::size_t end) {
      const auto scale_of = [&](const std::vector<float>& values) {
        return limited_scale({values.begin() + begin, values.begin() + end}, clip);
      };
      const double limit = scale_of(x.values);
      double scale = limit;
      if (shared) {
        for (const auto& worker : workers) scale = std::max(scale, scale_of(worker[x.id].values));
      }
      for (auto i = begin; i < end; ++i) {
        const double size = std::min(limit, std::abs(double{x.values[i]}));
        if (draw(round, w, x.id, i) < size / scale)
          reconstruction[i] = std::copysign(scale, x.values[i]);
      }
    });
    return reconstruction;
  }

  // E |C(x) - x|^2 / |x|^2 without clipping: |x|_1 |x|_inf - |x|_2^2 for each bucket.
  double error(const OwnedGradients& x) const {
    double lost = 0, all = 0;
    for (const auto& tensor : x) {
      for_each_bucket(tensor.values.size(), bucket, [&](std::size_t begin, std::size_t end) {
        double norm1 = 0, largest = 0, square = 0;
        for (auto i = begin; i < end; ++i) {
          const double size = std::abs(double{tensor.values[i]});
          norm1 += size;
          largest = std::max(largest, size);
          square += size * size;
        }
        lost += norm1 * largest - square;
        all += square;
      });
    }
    return lost / all;
  }
};

CompressorClaims terngrad_claims(TernaryForm form) {
  CompressorClaims claims{.payload_bytes =
                              [=](const Shapes& shapes) {
                                const auto scales = bytes_by_tensor(shapes, [=](std::size_t n) {
                                  return 32 * buckets(n, form.bucket);
                                });
                                return scales + 2 * plane_bytes(shapes);
                              },
                          .reference =
                              [=](const Round& round, const auto& workers) {
                                return mean_reconstruction(workers, [&](auto w, const auto& x) {
                                  return form.reconstruct(round, w, x, workers);
                                });
                              }};
  if (form.clip == 0) {
    claims.error = [=](const auto& x) { return form.error(x); };
    claims.error_is_exact = true;
    claims.unbiased = true;
  }
  return claims;
}

// ---- powers of two ------------------------------------------------------------------------------

double power_below(float x) {
  return std::exp2(std::floor(std::log2(std::abs(double{x}))));
}

double natural_variance(const OwnedTensor& tensor, double) {
  double lost = 0;
  for (const float v : tensor.values) {
    const double power = power_below(v), part = std::abs(v) / power - 1;
    lost += power * power * part * (1 - part);
  }
  return lost / squares(tensor.values);
}

CompressorClaims natural_claims() {
  const auto reconstruct = [](const Round& round, std::uint32_t worker, const OwnedTensor& x) {
    std::vector<double> result(x.values.size());
    for (std::size_t i = 0; i < result.size(); ++i) {
      const double power = power_below(x.values[i]), part = std::abs(x.values[i]) / power - 1;
      const bool up = draw(round, worker, x.id, i) < part;
      result[i] = std::copysign(up ? 2 * power : power, x.values[i]);
    }
    return result;
  };
  return {.error = [](const auto& x) { return weighted(x, natural_variance, 0); },
          .error_is_exact = true,
          .unbiased = true,
          .payload_bytes =
              [](const Shapes& shapes) {
                return bytes_by_tensor(shapes, [](std::size_t n) {
                  return n / 32 * 288 + (n % 32 > 0 ? 32 * (words(8 * (n % 32)) + 1) : 0);
                });
              },
          .reference =
              [=](const Round& round, const auto& workers) {
                return mean_reconstruction(
                    workers, [&](auto w, const auto& x) { return reconstruct(round, w, x); });
              }};
}

}  // namespace

std::vector<ClaimedSpec> quantised_claims() {
  return {{"qsgd:bits=4", qsgd_claims({7, 512, false}, 4)},
          {"qsgd:bits=8,bucket=64,norm=max", qsgd_claims({127, 64, true}, 8)},
          {"qsgd:bits=2,bucket=64", qsgd_claims({1, 64, false}, 2)},
          {"qsgd:levels=5,bucket=0,norm=max", qsgd_claims({5, 0, true}, 4)},
          {"qsgd:bits=3,bucket=64,code=elias", qsgd_claims({3, 64, false}, 3, false)},
          {"terngrad", terngrad_claims({})},
          {"terngrad:bucket=64", terngrad_claims({.bucket = 64})},
          {"terngrad:shared", terngrad_claims({.shared = true})},
          {"terngrad:clip=2.5", terngrad_claims({.clip = 2.5})},
          {"terngrad:clip=1,shared", terngrad_claims({.clip = 1, .shared = true})},
          {"terngrad:clip=1.5,bucket=64,shared",
           terngrad_claims({.clip = 1.5, .shared = true, .bucket = 64})},
          {"natural", natural_claims()}};
}

}  // namespace terse
