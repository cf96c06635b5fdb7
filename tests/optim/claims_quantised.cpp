// Whole gradients, at full width or fewer bits a value: naive code and what is claimed.
#include "claims.hpp"

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

// ---- what quantisers share ----------------------------------------------------------------------

// The draw of value i of a tensor in the first step, in [0, 1): the place of its bits is the
// format's.
double draw(const Round& round, std::uint32_t worker, std::uint32_t tensor, std::size_t i) {
  const Philox stream(round.seed,
                      {.purpose = Purpose::compress, .worker = worker, .tensor = tensor});
  const auto j = i % 64;
  const auto word = stream.at(4 * (i / 64 * 8 + j % 8) + j / 8 % 4);
  const auto more = stream.at((std::uint64_t{1} << 33) + i / 2);
  const std::uint32_t upper = j < 32 ? word & 0xffff : word >> 16;
  const std::uint32_t lower = i % 2 == 0 ? more & 0xffff : more >> 16;
  return (upper * 65536.0 + lower) / 4294967296.0;
}

// The mean over the workers of said(worker's number, its tensor), which returns a vector.
template <class Said>
OwnedGradients mean_said(const Workers& workers, Said said) {
  auto result = zeros_like(workers[0]);
  for (std::size_t t = 0; t < result.size(); ++t) {
    std::vector<double> sum(result[t].values.size());
    for (std::uint32_t w = 0; w < workers.size(); ++w) {
      const std::vector<double> one = said(w, workers[w][t]);
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += one[i];
    }
    for (std::size_t i = 0; i < sum.size(); ++i) {
      result[t].values[i] = static_cast<float>(sum[i] / static_cast<double>(workers.size()));
    }
  }
  return result;
}

std::size_t words(std::size_t bits) {
  return (bits + 31) / 32;
}

// Sum over the tensors of words(bits of n values), in bytes.
template <class Bits>
std::size_t bytes_by_tensor(const Shapes& shapes, Bits bits) {
  std::size_t sum = 0;
  for (const auto& shape : shapes) {
    const auto n = static_cast<std::size_t>(shape.rows * shape.cols);
    sum += 4 * words(bits(n));
  }
  return sum;
}

std::size_t buckets(std::size_t n, std::size_t bucket) {
  if (n == 0) return 0;
  return bucket == 0 ? 1 : (n + bucket - 1) / bucket;
}

// Calls body(begin, end) for every bucket of n values.
template <class Body>
void for_each_bucket(std::size_t n, std::size_t bucket, Body body) {
  const auto width = bucket == 0 ? std::max<std::size_t>(n, 1) : bucket;
  for (std::size_t begin = 0; begin < n; begin += width) body(begin, std::min(n, begin + width));
}

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

  std::vector<double> said(const Round& round, std::uint32_t worker, const OwnedTensor& x) const {
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

  // E |C(x) - x|^2 / |x|^2: every value is one of two neighbours.
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
                                return mean_said(workers, [&](auto w, const auto& x) {
                                  return form.said(round, w, x);
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

OwnedGradients reference_terngrad(const Round& round, const Workers& workers, double clip,
                                  bool shared) {
  return mean_said(workers, [&](std::uint32_t w, const OwnedTensor& x) {
    double scale = limited_scale(x.values, clip);
    const double limit = scale;
    if (shared) {
      for (const auto& worker : workers) {
        scale = std::max(scale, limited_scale(worker[x.id].values, clip));
      }
    }
    std::vector<double> said(x.values.size());
    for (std::size_t i = 0; i < said.size(); ++i) {
      const double size = std::min(limit, std::abs(double{x.values[i]}));
      if (draw(round, w, x.id, i) < size / scale) said[i] = std::copysign(scale, x.values[i]);
    }
    return said;
  });
}

double ternary_variance(const OwnedTensor& tensor, double) {
  double norm1 = 0, largest = 0;
  for (const float v : tensor.values) {
    norm1 += std::abs(double{v});
    largest = std::max(largest, std::abs(double{v}));
  }
  return norm1 * largest / squares(tensor.values) - 1;
}

CompressorClaims terngrad_claims(double clip, bool shared) {
  CompressorClaims claims{
      .payload_bytes =
          [](const Shapes& shapes) { return 4 * shapes.size() + 2 * plane_bytes(shapes); },
      .reference =
          [=](const Round& round, const auto& workers) {
            return reference_terngrad(round, workers, clip, shared);
          }};
  if (clip == 0) {
    claims.error = [](const auto& x) { return weighted(x, ternary_variance, 0); };
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
  const auto said = [](const Round& round, std::uint32_t worker, const OwnedTensor& x) {
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
                return mean_said(workers, [&](auto w, const auto& x) { return said(round, w, x); });
              }};
}

// ---- 16 bits ------------------------------------------------------------------------------------

// x to `digits` binary digits, to the nearest, ties to even; none of them below 2^-last.
double rounded_to(double x, int digits, int last) {
  if (x == 0) return 0;
  const int exponent = std::max(std::ilogb(x) - digits + 1, -last);
  return std::ldexp(std::nearbyint(std::ldexp(x, -exponent)), exponent);
}

// What a value of a draw in [0, 1) becomes: a neighbour of bf16, upwards with the part that is
// lost.
double bf16_by_chance(float x, double chance) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const bool up = std::floor(chance * 65536) >= 65536 - (bits & 0xffff);
  const auto below = std::bit_cast<float>(bits & 0xffff0000U);
  return up ? std::bit_cast<float>((bits & 0xffff0000U) + 0x10000U) : below;
}

CompressorClaims half_claims(int digits, int last) {
  return {.error = [=](const auto&) { return std::exp2(-2.0 * digits); },
          .permutable = true,
          .payload_bytes = [](const Shapes& shapes) { return 4 * words(16 * coordinates(shapes)); },
          .reference =
              [=](const Round&, const auto& workers) {
                return mean_said(workers, [&](auto, const OwnedTensor& x) {
                  std::vector<double> said;
                  for (const float v : x.values) said.push_back(rounded_to(v, digits, last));
                  return said;
                });
              }};
}

CompressorClaims stochastic_bf16_claims() {
  auto claims = half_claims(7, 149);  // off by a step at most, not half of one
  claims.unbiased = true;
  claims.permutable = false;
  claims.reference = [](const Round& round, const auto& workers) {
    return mean_said(workers, [&](std::uint32_t w, const OwnedTensor& x) {
      std::vector<double> said;
      for (std::size_t i = 0; i < x.values.size(); ++i) {
        said.push_back(bf16_by_chance(x.values[i], draw(round, w, x.id, i)));
      }
      return said;
    });
  };
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
                return mean_said(workers, [&](auto, const OwnedTensor& x) {
                  std::vector<double> said(x.values.size());
                  each_range(x, [&](auto begin, auto end, double low, double high) {
                    const double step = (high - low) / 255;
                    for (auto i = begin; i < end; ++i) {
                      const double steps = step > 0 ? std::round((x.values[i] - low) / step) : 0;
                      said[i] = low + steps * step;
                    }
                  });
                  return said;
                });
              }};
}

// ---- one bit and two means a column -------------------------------------------------------------

std::vector<double> two_means(const OwnedTensor& x) {
  std::vector<double> said(x.values.size());
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
      for (const auto at : members) said[at] = sum / static_cast<double>(members.size());
    }
  }
  return said;
}

CompressorClaims onebit_claims() {
  return {.error =
              [](const auto& x) {
                double lost = 0, all = 0;
                for (const auto& tensor : x) {
                  const auto said = two_means(tensor);
                  for (std::size_t i = 0; i < said.size(); ++i) {
                    lost += std::pow(said[i] - tensor.values[i], 2);
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
                return mean_said(workers, [](auto, const auto& x) { return two_means(x); });
              }};
}

}  // namespace

std::vector<ClaimedSpec> quantised_claims() {
  return {{"none", none_claims()},
          {"qsgd:bits=4", qsgd_claims({7, 512, false}, 4)},
          {"qsgd:bits=8,bucket=64,norm=max", qsgd_claims({127, 64, true}, 8)},
          {"qsgd:bits=2,bucket=64", qsgd_claims({1, 64, false}, 2)},
          {"qsgd:levels=5,bucket=0,norm=max", qsgd_claims({5, 0, true}, 4)},
          {"qsgd:bits=3,bucket=64,code=elias", qsgd_claims({3, 64, false}, 3, false)},
          {"terngrad", terngrad_claims(0, false)},
          {"terngrad:shared", terngrad_claims(0, true)},
          {"terngrad:clip=2.5", terngrad_claims(2.5, false)},
          {"terngrad:clip=1,shared", terngrad_claims(1, true)},
          {"natural", natural_claims()},
          {"fp16", half_claims(11, 24)},
          {"bf16", half_claims(8, 133)},
          {"bf16:stochastic", stochastic_bf16_claims()},
          {"int8", int8_claims(0)},
          {"int8:bucket=16", int8_claims(16)},
          {"onebit", onebit_claims()}};
}

}  // namespace terse
