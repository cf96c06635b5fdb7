// How dense and how noisy a gradient is, coordinate by coordinate: what decides whether its signs
// serve as well as itself.
//
//   for each mini-batch's gradient g, the parameters standing still:          (Welford)
//     n = n + 1;  old = mean;  mean += (g - mean) / n;  m2 += (g - old) (g - mean)
//   sigma = sqrt(m2 / (n - 1));   S = |mean| / sigma
//
//   density of a vector:  phi(v) = |v|_1² / (d |v|_2²), in [1/d, 1]: of normal values 2/pi, of a
//                         single one 1/d
//
// Theory wants phi(mean) not far below phi(sigma), and noise that is symmetric about its mean; S
// below 2/sqrt 3 is where a sign is no longer nearly sure. Symmetry and skewness are those of some
// coordinates, drawn once for each tensor, all of whose samples are kept.
//
// Cost: 16 bytes a parameter, and a pass over them a mini-batch. Source: Bernstein et al.,
// arXiv 1802.04434 (figures 1 and 2) and 1810.05291.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace terse {

// |v|_1² / (d |v|_2²); none of a vector of zeros.
std::optional<double> density(std::span<const double> v);

struct GradientReport {
  std::string name;  // of the tensor; empty: the whole model
  std::int64_t size = 0;
  std::optional<double> density_mean, density_noise;  // phi of the mean and of sigma
  double variance = 0;                                // sum of sigma²
  double snr_mean = 0, snr_max = 0, snr_below = 0;    // of S; the share below 2/sqrt 3
  double below_mean = 0, skewness = 0;                // of drawn coordinates: P(g < mean) …
  // The last two rows are over coordinates that vary; zeros if none does.
};

class GradientStatistics {
 public:
  struct Part {
    std::string name;
    std::int64_t size;
  };
  // The seed decides which coordinates are drawn.
  GradientStatistics(std::vector<Part> tensors, std::uint64_t seed);

  void add(std::span<const float> gradient);  // of all tensors, one after the other
  std::int64_t samples() const { return samples_; }

  // After two samples or more: the whole model, and then each tensor.
  std::vector<GradientReport> report() const;

 private:
  GradientReport report_on(const std::string& name, std::size_t first, std::size_t size) const;
  double deviation(std::size_t i) const;

  std::vector<Part> tensors_;
  std::int64_t samples_ = 0;
  std::vector<double> mean_, m2_;
  std::vector<std::size_t> drawn_;           // coordinates, in ascending order
  std::vector<std::vector<float>> history_;  // of each of them
};

}  // namespace terse
