// Means over seeds with their 95 % intervals, slopes, and the verdicts that follow from them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "examples/paper/claim.hpp"

namespace terse::paper {

// The mean of one value per seed, and the interval that covers its expectation with 95 % by
// Student's t. With one seed it is the whole line, and the deviation is infinite.
struct Interval {
  double mean = 0, low = 0, high = 0;
  double deviation = 0;  // the standard deviation of the values
  std::size_t seeds = 0;
};
Interval interval_of(std::span<const double> values);

// Of the mean; infinite for one seed.
double standard_error(const Interval& interval);

// With a minus sign of its own: −0.1.
std::string number_text(double value, int digits);
// 0.3 [−0.1, 0.7]; a single seed has no interval.
std::string text_of(const Interval& interval, int digits);

// a[i] - b[i]; Error if their numbers differ.
std::vector<double> differences(std::span<const double> a, std::span<const double> b);

// Least squares of log y on log x; both are above zero.
double log_slope(std::span<const double> x, std::span<const double> y);

// A theorem's bound K^e holds if the slope over K is below e + 1/8: e = -1/2 is told from -1/4 by the
// middle of both, and -1/4 from 0.
inline constexpr double kRootBound = -3.0 / 8, kFourthRootBound = -1.0 / 8;

// What an interval says of a bound. An interval that contains the bound tells nothing, nor does a
// single seed; then `measured` ends with the number of seeds that would tell, if these are typical.
Finding above(const Interval& interval, double bound, int digits, std::string_view quantity);
Finding below(const Interval& interval, double bound, int digits, std::string_view quantity);
// The interval lies within [low, high]: holds. It lies outside: does not.
Finding within(const Interval& interval, double low, double high, int digits,
               std::string_view quantity);

// A statement about every one of several cases, at least one: the verdict of the worst one, with all
// texts.
Finding all_of(const std::vector<Finding>& findings);

// One case of a statement about several.
struct Case {
  double excess = 0;  // below zero: the statement is violated
  double error = 0;   // standard error of the excess, or its error of rounding; 0: it is exact
};
// Holds if no case, of at least one, is violated by more than five standard errors. A case with an
// infinite error, that of one seed, cannot be told. The text gives the least excess, and its error if
// it is below zero.
Finding in_all_cases(std::span<const Case> cases, std::string_view quantity);

struct Deviation {
  double difference = 0;  // of the two values that should agree
  double error = 0;       // standard error of the difference
};
// Holds if no difference, of at least one, is further from zero than five standard errors; with an
// infinite error it cannot be told. `quantity` names it, such as "measured − stated".
Finding agrees_in_all_cases(std::span<const Deviation> deviations, std::string_view quantity);

}  // namespace terse::paper
