#include "examples/paper/statistics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "tersegrad/core/error.hpp"

namespace terse::paper {
namespace {

// The 97.5 % quantile of Student's t with n degrees of freedom. Beyond the table, the normal
// quantile and the first two terms of its expansion in 1/n (Abramowitz and Stegun, 26.7.5).
double student(std::size_t n) {
  static constexpr std::array<double, 10> kTable = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706,
                                                    2.4469,  2.3646, 2.3060, 2.2622, 2.2281};
  if (n <= kTable.size()) return kTable[n - 1];
  constexpr double kZ = 1.959964;
  const auto degrees = static_cast<double>(n);
  return kZ + (std::pow(kZ, 3) + kZ) / (4 * degrees) +
         (5 * std::pow(kZ, 5) + 16 * std::pow(kZ, 3) + 3 * kZ) / (96 * degrees * degrees);
}

double deviation_of(std::span<const double> values, double mean) {
  if (values.size() < 2) return std::numeric_limits<double>::infinity();
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

// How many seeds would put the bound outside the interval, if mean and deviation stayed as they are;
// empty for one seed, which has no deviation.
std::string seeds_needed(const Interval& interval, double distance) {
  if (interval.seeds < 2) return "";
  constexpr std::size_t kMost = 1000;
  for (std::size_t n = interval.seeds + 1; n <= kMost; ++n) {
    if (student(n - 1) * interval.deviation < distance * std::sqrt(static_cast<double>(n))) {
      return fmt::format(" ({} seeds would tell)", n);
    }
  }
  return fmt::format(" (more than {} seeds would be needed)", kMost);
}

std::string labelled(std::string_view quantity, const Interval& interval, int digits) {
  return fmt::format("{} {}", quantity, text_of(interval, digits));
}

}  // namespace

Interval interval_of(std::span<const double> values) {
  check<InternalError>(!values.empty(), "an interval of no values");
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  const double deviation = deviation_of(values, mean);
  const double half =
      values.size() < 2 ? deviation : student(values.size() - 1) * deviation / std::sqrt(n);
  return {.mean = mean,
          .low = mean - half,
          .high = mean + half,
          .deviation = deviation,
          .seeds = values.size()};
}

namespace {

// With a minus sign of its own, but none before a zero.
std::string with_minus(const std::string& text) {
  if (!text.starts_with('-')) return text;
  const bool zero = text.find_first_not_of("-0.") == std::string::npos;
  return (zero ? "" : "−") + text.substr(1);
}

}  // namespace

std::string number_text(double value, int digits) {
  return with_minus(fmt::format("{:.{}f}", value, digits));
}

std::string text_of(const Interval& interval, int digits) {
  const auto mean = number_text(interval.mean, digits);
  if (interval.seeds < 2) return mean + " (one seed)";
  return fmt::format("{} [{}, {}]", mean, number_text(interval.low, digits),
                     number_text(interval.high, digits));
}

double standard_error(const Interval& interval) {
  return interval.deviation / std::sqrt(static_cast<double>(interval.seeds));
}

std::vector<double> differences(std::span<const double> a, std::span<const double> b) {
  check(a.size() == b.size(), "expected as many values of both; got {} and {}", a.size(), b.size());
  std::vector<double> result(a.size());
  std::transform(a.begin(), a.end(), b.begin(), result.begin(), std::minus<>());
  return result;
}

double log_slope(std::span<const double> x, std::span<const double> y) {
  const auto n = static_cast<double>(x.size());
  double sum_x = 0, sum_y = 0, sum_xx = 0, sum_xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double log_x = std::log(x[i]), log_y = std::log(y[i]);
    sum_x += log_x;
    sum_y += log_y;
    sum_xx += log_x * log_x;
    sum_xy += log_x * log_y;
  }
  return (n * sum_xy - sum_x * sum_y) / (n * sum_xx - sum_x * sum_x);
}

Finding above(const Interval& interval, double bound, int digits, std::string_view quantity) {
  const auto text = labelled(quantity, interval, digits);
  if (interval.low > bound) return {.verdict = Verdict::holds, .measured = text};
  if (interval.high < bound) return {.verdict = Verdict::fails, .measured = text};
  return {.verdict = Verdict::open,
          .measured = text + seeds_needed(interval, std::abs(interval.mean - bound))};
}

Finding below(const Interval& interval, double bound, int digits, std::string_view quantity) {
  auto finding = above(interval, bound, digits, quantity);
  if (finding.verdict != Verdict::open) {
    finding.verdict = finding.verdict == Verdict::holds ? Verdict::fails : Verdict::holds;
  }
  return finding;
}

Finding within(const Interval& interval, double low, double high, int digits,
               std::string_view quantity) {
  const auto text = labelled(quantity, interval, digits);
  if (interval.low > low && interval.high < high) {
    return {.verdict = Verdict::holds, .measured = text};
  }
  if (interval.high < low || interval.low > high) {
    return {.verdict = Verdict::fails, .measured = text};
  }
  const double distance = std::min(std::abs(interval.mean - low), std::abs(interval.mean - high));
  return {.verdict = Verdict::open, .measured = text + seeds_needed(interval, distance)};
}

Finding all_of(const std::vector<Finding>& findings) {
  check<InternalError>(!findings.empty(), "a statement about no findings");
  Finding result{.verdict = Verdict::holds, .measured = ""};
  for (const auto& [verdict, measured] : findings) {
    if (verdict == Verdict::fails) result.verdict = Verdict::fails;
    if (verdict == Verdict::open && result.verdict == Verdict::holds) result.verdict = verdict;
    result.measured += (result.measured.empty() ? "" : "; ") + measured;
  }
  return result;
}

namespace {

constexpr double kErrors = 5;  // standard errors that chance is given in each of several cases
constexpr const char* kNoError = " (one seed has no standard error)";

// Cases without a standard error, those of one seed, do not show that a statement holds.
Verdict verdict_of_cases(std::size_t violated, bool errors_known) {
  if (violated > 0) return Verdict::fails;
  return errors_known ? Verdict::holds : Verdict::open;
}

}  // namespace

Finding in_all_cases(std::span<const Case> cases, std::string_view quantity) {
  check<InternalError>(!cases.empty(), "{}: a statement about no cases", quantity);
  Case least = cases.front();
  std::size_t violated = 0;
  bool known = true;
  for (const auto& one : cases) {
    if (!std::isnan(least.excess) && !(one.excess >= least.excess)) least = one;
    if (!(one.excess >= -kErrors * one.error)) ++violated;
    known = known && std::isfinite(one.error);
  }
  Finding finding{
      .verdict = verdict_of_cases(violated, known),
      .measured = fmt::format(
          "{} of {} cases violate it by more than five standard errors; least {}: {}", violated,
          cases.size(), quantity, with_minus(fmt::format("{:.2g}", least.excess)))};
  if (least.excess < 0 && least.error > 0 && std::isfinite(least.error)) {
    finding.measured += fmt::format(", with an error of {:.2g}", least.error);
  }
  if (!known) finding.measured += kNoError;
  return finding;
}

Finding agrees_in_all_cases(std::span<const Deviation> deviations, std::string_view quantity) {
  check<InternalError>(!deviations.empty(), "{}: a statement about no cases", quantity);
  double largest = 0;
  std::size_t deviating = 0;
  bool known = true;
  for (const auto& [difference, error] : deviations) {
    if (!std::isnan(largest) && !(std::abs(difference) <= largest)) largest = std::abs(difference);
    if (!(std::abs(difference) <= kErrors * error)) ++deviating;
    known = known && std::isfinite(error);
  }
  return {.verdict = verdict_of_cases(deviating, known),
          .measured = fmt::format(
              "{} of {} cases deviate by more than five standard errors; largest |{}|: {:.2g}{}",
              deviating, deviations.size(), quantity, largest, known ? "" : kNoError)};
}

}  // namespace terse::paper
