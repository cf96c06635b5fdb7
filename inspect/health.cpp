#include "tersegrad/inspect/health.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tersegrad/inspect/spectrum.hpp"

namespace terse {
namespace {

constexpr std::int64_t kSingularValues = 16, kRanges = 64;

double squares(std::span<const float> x) {
  double sum = 0;
  for (const float value : x) sum += double{value} * value;
  return sum;
}

double squared_distance(std::span<const float> x, std::span<const float> y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double difference = double{x[i]} - double{y[i]};
    sum += difference * difference;
  }
  return sum;
}

std::optional<double> ratio(double part, double whole) {
  return whole > 0 ? std::optional(part / whole) : std::nullopt;
}

std::optional<double> cosine(std::span<const float> x, std::span<const double> y) {
  double product = 0, xx = 0, yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    product += double{x[i]} * y[i];
    xx += double{x[i]} * x[i];
    yy += y[i] * y[i];
  }
  return ratio(product, std::sqrt(xx * yy));
}

std::vector<std::int64_t> count_sent(std::span<const float> x) {
  if (x.empty() || 2 * (std::ssize(x) - std::ranges::count(x, 0.0F)) >= std::ssize(x)) return {};
  const auto n = std::ssize(x), ranges = std::min(n, kRanges);
  std::vector<std::int64_t> sent(static_cast<std::size_t>(ranges));
  for (std::int64_t i = 0; i < n; ++i) {
    if (x[static_cast<std::size_t>(i)] != 0) ++sent[static_cast<std::size_t>(i * ranges / n)];
  }
  return sent;
}

template <class Value>
std::span<const Value> part(std::span<const Value> all, std::int64_t first, std::int64_t count) {
  if (all.empty()) return {};
  return all.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
}

// Of the values of a tensor, or of the whole model.
TensorHealth health_of(const HealthInput& in) {
  TensorHealth health{.size = std::ssize(in.gradient),
                      .gradient_norm = std::sqrt(squares(in.gradient)),
                      .energy = squares(in.encoded)};
  if (!in.residual.empty()) {
    health.residual_ratio = ratio(std::sqrt(squares(in.residual)), health.gradient_norm);
  }
  if (!in.reconstruction.empty()) {
    const auto lost = ratio(squared_distance(in.encoded, in.reconstruction), health.energy);
    if (lost) health.contraction = 1 - *lost;
    health.sent = count_sent(in.reconstruction);
  }
  if (!in.decoded.empty()) health.cosine = cosine(in.decoded, in.true_mean);
  health.topk_mass = mass_of_largest(in.encoded, kMassFractions);
  return health;
}

void add_spectrum(const ParameterInfo& info, std::span<const float> x, std::uint64_t seed,
                  TensorHealth& health) {
  health.name = info.name;
  health.rows = info.rows;
  health.cols = info.cols;
  if (info.rows == 1 || info.cols == 1) return;
  health.singular_values =
      leading_singular_values({info.rows, info.cols, x}, kSingularValues, seed);
  if (health.singular_values.empty()) return;
  const double largest = health.singular_values.front();
  health.stable_rank = ratio(health.energy, largest * largest);
}

template <class Value>
nlohmann::json list_or_null(const std::vector<Value>& values) {
  return values.empty() ? nlohmann::json(nullptr) : nlohmann::json(values);
}

nlohmann::json value_or_null(const std::optional<double>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

nlohmann::json to_json(const TensorHealth& h) {
  return {{"tensor", h.name.empty() ? nlohmann::json(nullptr) : nlohmann::json(h.name)},
          {"size", h.size},
          {"rows", h.rows},
          {"cols", h.cols},
          {"gradient_norm", h.gradient_norm},
          {"energy", h.energy},
          {"residual_ratio", value_or_null(h.residual_ratio)},
          {"contraction", value_or_null(h.contraction)},
          {"cosine", value_or_null(h.cosine)},
          {"topk_mass", h.topk_mass},
          {"stable_rank", value_or_null(h.stable_rank)},
          {"singular_values", list_or_null(h.singular_values)},
          {"sent", list_or_null(h.sent)}};
}

}  // namespace

std::vector<TensorHealth> measure_health(std::span<const ParameterInfo> tensors,
                                         const HealthInput& input, std::uint64_t seed) {
  std::vector<TensorHealth> all{health_of(input)};
  for (const auto& info : tensors) {
    const auto cut = [&](auto values) { return part(values, info.offset, info.numel); };
    const HealthInput own{.gradient = cut(input.gradient),
                          .encoded = cut(input.encoded),
                          .reconstruction = cut(input.reconstruction),
                          .residual = cut(input.residual),
                          .decoded = cut(input.decoded),
                          .true_mean = cut(input.true_mean)};
    all.push_back(health_of(own));
    add_spectrum(info, own.encoded, seed, all.back());
  }
  return all;
}

std::vector<std::int64_t> vote_margins(std::span<const double> vote_sums, int workers) {
  std::vector<std::int64_t> margins(static_cast<std::size_t>(workers) + 1);
  for (const double sum : vote_sums) ++margins[static_cast<std::size_t>(std::abs(sum))];
  return margins;
}

nlohmann::json to_json(const HealthReport& report) {
  auto tensors = nlohmann::json::array();
  double coordinates = 0;
  for (const auto& tensor : report.tensors) tensors.push_back(to_json(tensor));
  for (const auto count : report.margins) coordinates += static_cast<double>(count);
  nlohmann::json health = {{"declared_contraction", value_or_null(report.declared_contraction)},
                           {"fractions", kMassFractions},
                           {"tensors", std::move(tensors)},
                           {"margins", list_or_null(report.margins)},
                           {"ties", nullptr}};
  if (coordinates > 0) {
    health["ties"] = static_cast<double>(report.margins.front()) / coordinates;
  }
  return {
      {"step", report.step}, {"health", std::move(health)}, {"time", {{"health", report.seconds}}}};
}

}  // namespace terse
