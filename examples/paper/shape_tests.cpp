#include "examples/paper/shape_tests.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/random.hpp"

namespace terse::paper {
namespace {

using Sorted = std::vector<double>;

// Whether a string from `start` at x_0 to `end` at the last sample has one mode, if it is pulled
// tight through the gates [(i+1)/n - d, i/n + d] at x_i. Of all functions through them it has the
// fewest (Davies and Kovac, Annals of Statistics 32, 2004). Its slope rises where it bends at an
// upper bound, and falls where it bends at a lower one.
bool string_has_one_mode(const Sorted& x, double d, double start, double end) {
  const std::size_t count = x.size(), last = count - 1;
  const auto n = static_cast<double>(count);
  const auto upper = [&](std::size_t i) {
    return i == last ? end : static_cast<double>(i) / n + d;
  };
  const auto lower = [&](std::size_t i) {
    return i == last ? end : (static_cast<double>(i) + 1) / n - d;
  };
  bool falling = false;  // behind the mode
  std::size_t knot = 0;
  double height = start;
  while (knot < last) {
    std::size_t at_upper = knot, at_lower = knot;  // the gates that bound the slope from here
    double most = std::numeric_limits<double>::infinity(), least = -most;
    std::size_t next = last;
    bool bends_down = false, ends = true;
    for (std::size_t i = knot + 1; i < count; ++i) {
      const double up = (upper(i) - height) / (x[i] - x[knot]);
      const double low = (lower(i) - height) / (x[i] - x[knot]);
      if (low > most || up < least) {  // the string bends at an earlier gate
        bends_down = up < least;
        next = bends_down ? at_lower : at_upper;
        ends = false;
        break;
      }
      if (up <= most) std::tie(most, at_upper) = std::pair(up, i);
      if (low >= least) std::tie(least, at_lower) = std::pair(low, i);
    }
    if (ends) return true;
    if (!bends_down && falling) return false;
    falling = falling || bends_down;
    height = bends_down ? lower(next) : upper(next);
    knot = next;
  }
  return true;
}

// Whether a distribution with one mode lies within d of the samples' distribution function, which
// rises from i/n to (i+1)/n at x_i. At its ends it may take any value within d: high at the start if
// its slope rises first, low if it only falls; the other way round at the end.
bool has_one_mode(const Sorted& x, double d) {
  const double step = 1 / static_cast<double>(x.size());
  for (const double start : {d, std::max(0.0, step - d)}) {
    for (const double end : {1 - d, std::min(1.0, 1 - step + d)}) {
      if (start <= end && string_has_one_mode(x, d, start, end)) return true;
    }
  }
  return false;
}

double dip_of_sorted(Sorted x) {
  // Equal samples are a steep rise, which may be the mode.
  const double apart = std::max(1e-9 * (x.back() - x.front()), 1e-300);
  for (std::size_t i = 1; i < x.size(); ++i) x[i] = std::max(x[i], x[i - 1] + apart);
  double low = 0.5 / static_cast<double>(x.size()), high = 0.5;
  for (int halving = 0; halving < 30; ++halving) {
    const double middle = (low + high) / 2;
    (has_one_mode(x, middle) ? high : low) = middle;
  }
  return high;
}

}  // namespace

double asymmetry(std::span<const double> samples) {
  const auto n = static_cast<double>(samples.size());
  const double mean = std::accumulate(samples.begin(), samples.end(), 0.0) / n;
  double squares = 0;
  for (const double value : samples) squares += (value - mean) * (value - mean);
  if (squares == 0) return 0;
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  const std::size_t half = sorted.size() / 2;
  const double median =
      sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  return std::sqrt(n) * (mean - median) / std::sqrt(squares / (n - 1));
}

bool rejects_symmetry(double asymmetry) {
  const double deviation = std::sqrt(std::numbers::pi / 2 - 1);
  return std::abs(asymmetry) > 1.96 * deviation;
}

double dip(std::span<const double> samples) {
  Sorted sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  return dip_of_sorted(std::move(sorted));
}

double critical_dip(std::size_t samples, std::uint64_t seed) {
  constexpr std::int64_t kRepeats = 1000;
  std::vector<double> dips(kRepeats);
  parallel_for(kRepeats, 10, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t repeat = begin; repeat < end; ++repeat) {
      Philox draws(seed, {.purpose = Purpose::probe, .step = static_cast<std::uint32_t>(repeat)});
      Sorted x(samples);
      for (double& value : x) value = draws.uniform_double();
      std::sort(x.begin(), x.end());
      dips[static_cast<std::size_t>(repeat)] = dip_of_sorted(std::move(x));
    }
  });
  std::sort(dips.begin(), dips.end());
  return dips[kRepeats * 95 / 100];
}

}  // namespace terse::paper
