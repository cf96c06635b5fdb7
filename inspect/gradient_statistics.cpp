#include "tersegrad/inspect/gradient_statistics.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>
#include <utility>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/random.hpp"

namespace terse {
namespace {

constexpr std::size_t kDrawn = 64;  // maximum number of drawn coordinates per tensor

// Draws min(kDrawn, size) different coordinates.
std::vector<std::size_t> draw(std::size_t size, std::uint64_t seed, std::uint32_t tensor) {
  std::set<std::size_t> chosen;
  Philox draws(seed, {.purpose = Purpose::probe, .tensor = tensor});
  while (chosen.size() < std::min(kDrawn, size)) chosen.insert(draws.below(size));
  return {chosen.begin(), chosen.end()};
}

}  // namespace

std::optional<double> density(std::span<const double> v) {
  double sum = 0, squares = 0;
  for (const double value : v) {
    sum += std::abs(value);
    squares += value * value;
  }
  if (squares == 0) return std::nullopt;
  return sum * sum / (static_cast<double>(v.size()) * squares);
}

GradientStatistics::GradientStatistics(std::vector<Part> tensors, std::uint64_t seed)
    : tensors_(std::move(tensors)) {
  std::size_t first = 0;
  for (std::uint32_t tensor = 0; tensor < tensors_.size(); ++tensor) {
    const auto size = static_cast<std::size_t>(tensors_[tensor].size);
    for (const auto i : draw(size, seed, tensor)) drawn_.push_back(first + i);
    first += size;
  }
  mean_.resize(first);
  m2_.resize(first);
  history_.resize(drawn_.size());
}

void GradientStatistics::add(std::span<const float> gradient) {
  check(gradient.size() == mean_.size(), "gradient statistics: expected {} values; got {}",
        mean_.size(), gradient.size());
  const auto n = static_cast<double>(++samples_);
  constexpr std::int64_t kGrain = 1 << 15;
  parallel_for(std::ssize(gradient), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const double from_old = gradient[i] - mean_[i];
      mean_[i] += from_old / n;
      m2_[i] += from_old * (gradient[i] - mean_[i]);
    }
  });
  for (std::size_t k = 0; k < drawn_.size(); ++k) history_[k].push_back(gradient[drawn_[k]]);
}

double GradientStatistics::deviation(std::size_t i) const {
  return std::sqrt(m2_[i] / static_cast<double>(samples_ - 1));
}

GradientReport GradientStatistics::report_on(const std::string& name, std::size_t first,
                                             std::size_t size) const {
  GradientReport r;
  r.name = name;
  r.size = static_cast<std::int64_t>(size);
  std::vector<double> sigma(size);
  double varying = 0;
  for (std::size_t i = 0; i < size; ++i) {
    sigma[i] = deviation(first + i);
    r.variance += sigma[i] * sigma[i];
    if (sigma[i] == 0) continue;
    const double snr = std::abs(mean_[first + i]) / sigma[i];
    ++varying;
    r.snr_mean += (snr - r.snr_mean) / varying;
    r.snr_max = std::max(r.snr_max, snr);
    r.snr_below += snr < 2 / std::numbers::sqrt3 ? 1 : 0;
  }
  if (varying > 0) r.snr_below /= varying;
  r.density_mean = density(std::span(mean_).subspan(first, size));
  r.density_noise = density(sigma);

  double kept = 0;
  for (std::size_t k = 0; k < drawn_.size(); ++k) {
    const auto i = drawn_[k];
    if (i < first || i >= first + size || m2_[i] == 0) continue;
    const auto n = static_cast<double>(samples_);
    double below = 0, cubes = 0;
    for (const float g : history_[k]) {
      const double apart = g - mean_[i];
      below += apart < 0 ? 1 : 0;
      cubes += apart * apart * apart;
    }
    ++kept;
    r.below_mean += (below / n - r.below_mean) / kept;
    r.skewness += (cubes / n / std::pow(m2_[i] / n, 1.5) - r.skewness) / kept;
  }
  return r;
}

std::vector<GradientReport> GradientStatistics::report() const {
  check(samples_ >= 2, "gradient statistics: expected at least two samples; got {}", samples_);
  std::vector<GradientReport> all{report_on("", 0, mean_.size())};
  std::size_t first = 0;
  for (const auto& [name, size] : tensors_) {
    all.push_back(report_on(name, first, static_cast<std::size_t>(size)));
    first += static_cast<std::size_t>(size);
  }
  return all;
}

}  // namespace terse
