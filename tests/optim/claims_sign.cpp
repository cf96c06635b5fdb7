// Naive code from the formulas, and claims, for the sign family.
#include "claims.hpp"

#include <algorithm>
#include <cmath>

#include "tersegrad/optim/kernels/draws.hpp"

namespace terse {
namespace {

OwnedGradients reference_vote(const Round& round, const Workers& workers, const std::string& tie) {
  auto result = zeros_like(workers[0]);
  const Philox coins(round.seed, {.purpose = Purpose::tie});
  std::uint64_t place = 0;
  for (std::size_t t = 0; t < result.size(); ++t) {
    for (std::size_t i = 0; i < result[t].values.size(); ++i, ++place) {
      int votes = 0;
      for (const auto& worker : workers) votes += worker[t].values[i] < 0 ? -1 : 1;
      const bool coin = (coins.at(place / 32) >> (place % 32) & 1U) != 0;
      int broken = 0;
      if (tie == "plus") broken = 1;
      if (tie == "random") broken = coin ? -1 : 1;
      const int winner = votes > 0 ? 1 : votes < 0 ? -1 : broken;
      result[t].values[i] = static_cast<float>(winner);
    }
  }
  return result;
}

// `l2`: the scale is |x|_2 / sqrt(n), not |x|_1 / n; `of_model`: x is all tensors together.
OwnedGradients reference_sign(const Workers& workers, bool l2, bool of_model) {
  auto result = zeros_like(workers[0]);
  for (const auto& worker : workers) {
    const auto scale_of = [&](const std::vector<float>& x) {
      double sum = 0;
      for (const float v : x) sum += l2 ? double{v} * v : std::abs(v);
      sum /= static_cast<double>(x.size());
      return l2 ? std::sqrt(sum) : sum;
    };
    for (std::size_t t = 0; t < result.size(); ++t) {
      const auto& x = worker[t].values;
      const double scale = scale_of(of_model ? flat(worker) : x) / double(workers.size());
      for (std::size_t i = 0; i < x.size(); ++i) {
        result[t].values[i] += static_cast<float>(x[i] < 0 ? -scale : scale);
      }
    }
  }
  return result;
}

double density(const std::vector<float>& x) {
  double norm1 = 0;
  for (const float v : x) norm1 += std::abs(double{v});
  return norm1 * norm1 / (static_cast<double>(x.size()) * squares(x));
}

double l1_error(const OwnedTensor& tensor, double) {
  return 1 - density(tensor.values);
}
double l2_error(const OwnedTensor& tensor, double) {
  return 2 * (1 - std::sqrt(density(tensor.values)));
}

// The draw of coordinate i: negative with probability 1/2 - x_i / (2 norm). 16 bits of the stream
// decide; on a tie, 16 more bits do (optim/kernels/draws.hpp).
bool drawn_minus(const Philox& stream, std::int64_t i, float x, float norm) {
  const auto group = static_cast<std::uint64_t>(i / 64), j = static_cast<std::uint64_t>(i % 64);
  const auto word = stream.at(4 * (8 * group + j % 8) + j / 8 % 4);
  const auto upper = word >> (16 * (j / 32)) & 0xffffU;
  const auto lower = kernels::Draws(stream).lower(i);
  return upper * 65536.0 + lower < 4294967296.0 * double{0.5F - 0.5F * (x / norm)};
}

Philox draws_of(const Round& round, std::size_t worker, std::uint32_t tensor) {
  return Philox(round.seed, {.purpose = Purpose::compress,
                             .worker = static_cast<std::uint32_t>(worker),
                             .tensor = tensor});
}

// The norm is that of the model (`of_model`) or of each tensor. With `with_norm` a sign has the
// norm as its magnitude, otherwise 1.
OwnedGradients reference_stochastic(const Round& round, const Workers& workers, bool max_norm,
                                    bool of_model, bool with_norm) {
  const auto norm_of = [&](const std::vector<float>& x) {
    double largest = 0;
    for (const float v : x) largest = std::max(largest, std::abs(double{v}));
    return max_norm ? largest : std::sqrt(squares(x));
  };
  auto result = zeros_like(workers[0]);
  for (std::size_t w = 0; w < workers.size(); ++w) {
    for (std::size_t t = 0; t < result.size(); ++t) {
      const auto& x = workers[w][t].values;
      const double norm = norm_of(of_model ? flat(workers[w]) : x);
      const auto draws = draws_of(round, w, result[t].id);
      const auto size = static_cast<float>((with_norm ? norm : 1) / double(workers.size()));
      for (std::size_t i = 0; i < x.size(); ++i) {
        const bool minus =
            drawn_minus(draws, static_cast<std::int64_t>(i), x[i], static_cast<float>(norm));
        result[t].values[i] += minus ? -size : size;
      }
    }
  }
  return result;
}

OwnedGradients reference_noisy(const Round& round, const Workers& workers, double sigma) {
  Workers noisy = workers;
  for (std::size_t w = 0; w < noisy.size(); ++w) {
    for (auto& tensor : noisy[w]) {
      const double rms = std::sqrt(squares(tensor.values) / double(tensor.values.size()));
      auto draws = draws_of(round, w, tensor.id);
      for (float& value : tensor.values) value += static_cast<float>(sigma * rms) * draws.normal();
    }
  }
  return reference_vote(round, noisy, "random");
}

double l2_variance(const OwnedTensor& tensor, double) {
  return static_cast<double>(tensor.values.size()) - 1;
}

double max_variance(const OwnedTensor& tensor, double) {
  double largest = 0;
  for (const float v : tensor.values) largest = std::max(largest, std::abs(double{v}));
  return static_cast<double>(tensor.values.size()) * largest * largest / squares(tensor.values) - 1;
}

CompressorClaims stochastic_claims(bool max_norm) {
  return {
      .error = [=](const auto& x) { return weighted(x, max_norm ? max_variance : l2_variance, 0); },
      .error_is_exact = true,
      .unbiased = true,
      .payload_bytes = [](const Shapes& shapes) { return 4 * shapes.size() + plane_bytes(shapes); },
      .reference =
          [=](const Round& round, const auto& workers) {
            return reference_stochastic(round, workers, max_norm, false, true);
          }};
}

// `scaled`: the packet holds the norm too. In its first step the momentum equals the gradient.
CompressorClaims ssdm_claims(bool scaled, bool of_model) {
  CompressorClaims claims{
      .whole_model = of_model,
      .payload_bytes = [=](const Shapes& shapes) { return (scaled ? 4 : 0) + plane_bytes(shapes); },
      .reference =
          [=](const Round& round, const auto& workers) {
            return reference_stochastic(round, workers, false, of_model, scaled);
          }};
  if (scaled) {
    claims.error = [](const auto& x) { return static_cast<double>(flat(x).size()) - 1; };
    claims.error_is_exact = true;
  }
  return claims;
}

CompressorClaims noisy_claims() {
  return {.payload_bytes = plane_bytes, .reference = [](const Round& round, const auto& workers) {
            return reference_noisy(round, workers, 1);
          }};
}

CompressorClaims vote_claims(const std::string& tie, const std::string& zero) {
  const std::size_t planes = zero == "zero" ? 2 : 1;
  return {.permutable = true,
          .payload_bytes = [=](const Shapes& shapes) { return planes * plane_bytes(shapes); },
          .reference = [=](const Round& round,
                           const auto& workers) { return reference_vote(round, workers, tie); }};
}

CompressorClaims scaled_sign_claims(bool l2, bool of_model) {
  const auto error = l2 ? l2_error : l1_error;
  return {.error =
              [=](const auto& x) {
                return of_model ? error({.values = flat(x)}, 0) : weighted(x, error, 0);
              },
          .error_is_exact = true,
          .whole_model = of_model,
          .permutable = true,
          .payload_bytes =
              [=](const Shapes& shapes) {
                return 4 * (of_model ? 1 : shapes.size()) + plane_bytes(shapes);
              },
          .reference = [=](const Round&,
                           const auto& workers) { return reference_sign(workers, l2, of_model); }};
}

}  // namespace

std::vector<ClaimedSpec> sign_claims() {
  return {{"vote:beta=0.9", vote_claims("random", "random")},
          {"vote", vote_claims("random", "random")},
          {"vote:exchange=gather", vote_claims("random", "random")},
          {"vote:tie=plus,zero=plus", vote_claims("plus", "plus")},
          {"vote:tie=zero", vote_claims("zero", "random")},
          {"vote:zero=zero", vote_claims("random", "zero")},
          {"vote:zero=zero,tie=zero", vote_claims("zero", "zero")},
          {"vote:zero=random,tie=plus", vote_claims("plus", "random")},
          {"vote:beta=0.9,warmup", vote_claims("random", "random")},
          {"sign", scaled_sign_claims(false, false)},
          {"sign:scope=model", scaled_sign_claims(false, true)},
          {"sign:scale=l2", scaled_sign_claims(true, false)},
          {"sign:scale=l2,scope=model", scaled_sign_claims(true, true)},
          {"ssdm:beta=0.9", ssdm_claims(false, true)},
          {"ssdm:beta=0.9,scope=tensor", ssdm_claims(false, false)},
          {"ssdm:scaled", ssdm_claims(true, true)},
          {"stochastic_sign:norm=max", stochastic_claims(true)},
          {"stochastic_sign", stochastic_claims(false)},
          {"noisy_sign:sigma=1", noisy_claims()}};
}

}  // namespace terse
