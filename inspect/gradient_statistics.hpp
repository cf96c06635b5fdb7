// Density and noise of stochastic gradients, per coordinate. They determine whether sign-based
// methods converge as fast as SGD.
//
//   for each mini-batch's gradient g, at constant parameters:                 (Welford)
//     n = n + 1;  old = mean;  mean += (g - mean) / n;  m2 += (g - old) (g - mean)
//   sigma = sqrt(m2 / (n - 1));   S = |mean| / sigma
//
//   density of a vector:  phi(v) = |v|_1² / (d |v|_2²), in [1/d, 1]
//                         2/pi for normal values, 1/d for a vector with a single nonzero value
//
// The theory assumes that phi(mean) is not much smaller than phi(sigma), and that the noise is
// symmetric about its mean. Below S = 2/sqrt 3, the sign of a stochastic gradient is unreliable.
// Symmetry and skewness are estimated on at most 64 coordinates per tensor, drawn once, whose
// samples are all stored.
//
// Cost: 16 bytes per parameter, and one pass over them per mini-batch. Source: Bernstein et al.,
// arXiv 1802.04434 (figures 1 and 2) and 1810.05291.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace terse {

// phi(v) = |v|_1² / (d |v|_2²); nullopt if v is zero.
std::optional<double> density(std::span<const double> v);

struct GradientReport {
  std::string name;  // name of the tensor; empty: the whole model
  std::int64_t size = 0;
  std::optional<double> density_mean, density_noise;  // phi(mean) and phi(sigma)
  double variance = 0;                                // sum of sigma²
  double snr_mean = 0, snr_max = 0, snr_below = 0;    // mean, max of S; share below 2/sqrt 3
  double below_mean = 0, skewness = 0;                // of the drawn coordinates: P(g < mean), skew
  // The last two lines are over coordinates with sigma > 0, and zero if there are none.
};

class GradientStatistics {
 public:
  struct Part {
    std::string name;
    std::int64_t size;
  };
  // `seed` determines which coordinates are drawn.
  GradientStatistics(std::vector<Part> tensors, std::uint64_t seed);

  void add(std::span<const float> gradient);  // the gradient of all tensors, concatenated
  std::int64_t samples() const { return samples_; }

  // The report on the whole model, followed by those on each tensor. Throws Error if fewer than two
  // samples have been added.
  std::vector<GradientReport> report() const;

 private:
  GradientReport report_on(const std::string& name, std::size_t first, std::size_t size) const;
  double deviation(std::size_t i) const;

  std::vector<Part> tensors_;
  std::int64_t samples_ = 0;
  std::vector<double> mean_, m2_;
  std::vector<std::size_t> drawn_;           // drawn coordinates, ascending
  std::vector<std::vector<float>> history_;  // all samples of each drawn coordinate
};

}  // namespace terse
