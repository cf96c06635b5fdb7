// Seeded random draws for simulations: how long a worker computes, and synthetic staleness.
//
// Laws of durations:
//
//   constant:jitter=0      1 + jitter (u - 1/2), u uniform in [0, 1)
//   exponential            -ln(1 - u); memoryless, so the staleness is geometric
//   erlang:k=4             the mean of k exponential draws: a chain of k stages
//   pareto:alpha=2.5       (1 - 1/alpha) (1 - u)^(-1/alpha); heavy-tailed: occasional stragglers
//   measured               the seconds that the gradient took on this machine; does not repeat
//
// Drawn durations have mean 1. Every duration is divided by the worker's speed. Each worker draws
// from its own stream, so its draws do not depend on the speeds and pushes of other workers.
//
// Laws of delays, each cut at `most`:
//
//   constant:s=              s
//   uniform:most=            uniform in {0, …, most}
//   geometric:mean=,most=    P(j) = p (1 - p)^j with p = 1 / (1 + mean)
//   poisson:mean=,most=      Poisson with this mean
//
// A delay is a staleness to impose: the gradient of update t is computed at the model of version
// t - min(delay, most, t).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tersegrad/core/archive.hpp"
#include "tersegrad/core/random.hpp"

namespace terse {

class Durations {
 public:
  // Worker w has the speed speeds[w % speeds.size()], or 1 if `speeds` is empty. Throws UsageError
  // for an unknown law and for a speed that is not finite and above zero.
  Durations(std::string_view spec, int workers, std::span<const double> speeds, std::uint64_t seed);

  const std::string& spec() const { return spec_; }  // with every option written out
  bool measured() const { return !draw_; }
  // The duration of the worker's next gradient: a draw, or `measured_seconds` if the law is
  // `measured`, divided by the worker's speed.
  double next(int worker, double measured_seconds);
  void serialize(Archive& archive);  // the positions in the random streams

 private:
  std::string spec_;
  std::function<double(Philox&)> draw_;
  std::vector<double> speeds_;
  std::vector<Philox> streams_;
};

// Parses a list such as "1,1,0.5"; an empty text gives an empty list. Throws UsageError unless all
// items are finite numbers above zero.
std::vector<double> parse_speeds(std::string_view text);

class Delays {
 public:
  Delays(std::string_view spec, std::uint64_t seed);  // throws UsageError for an unknown law

  const std::string& spec() const { return spec_; }  // with every option written out
  std::uint64_t most() const { return most_; }
  // The next delay, at most min(most(), version), because no version is older than 0.
  std::uint64_t next(std::uint64_t version);
  void serialize(Archive& archive);  // the position in the random stream

 private:
  std::string spec_;
  std::uint64_t most_ = 0;
  std::function<std::uint64_t(Philox&)> draw_;
  Philox stream_;
};

}  // namespace terse
