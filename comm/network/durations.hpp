// How long a simulated worker computes, and how late a synthetic read is: seeded draws.
//
//   constant:jitter=0      1 + jitter (u - 1/2), u uniform in [0, 1)
//   exponential            -ln(1 - u): no memory, so staleness is geometric
//   erlang:k=4             the mean of k exponential draws: a chain of k stages
//   pareto:alpha=2.5       (1 - 1/alpha) (1 - u)^(-1/alpha): now and then a straggler
//   measured               what the gradient took on this machine, in seconds; does not repeat
//
// All but the last have the mean 1 and are divided by the worker's speed. Each worker reads a
// stream of its own, so another worker's speed or number of pushes changes no draw.
//
//   delays: constant:s=, uniform:most=, geometric:mean=,most=, poisson:mean=,most=
//
// A delay is a staleness to impose: a gradient of update t is computed at the model of version
// t - min(delay, most, t).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tersegrad/core/random.hpp"

namespace terse {

class Durations {
 public:
  // The speeds belong to the workers in turn, from the first again after the last; none: all are 1.
  // UsageError for an unknown law or a speed that is not above zero.
  Durations(std::string_view spec, int workers, std::span<const double> speeds, std::uint64_t seed);

  const std::string& spec() const { return spec_; }  // with every option
  bool measured() const { return !draw_; }
  // Of the worker's next gradient; a measured one is scaled by the speed.
  double next(int worker, double measured_seconds);

 private:
  std::string spec_;
  std::function<double(Philox&)> draw_;
  std::vector<double> speeds_;
  std::vector<Philox> streams_;
};

// "1,1,0.5": UsageError for what is no list of numbers above zero. An empty text: no speeds.
std::vector<double> parse_speeds(std::string_view text);

class Delays {
 public:
  Delays(std::string_view spec, std::uint64_t seed);  // UsageError for an unknown law

  const std::string& spec() const { return spec_; }
  std::uint64_t most() const { return most_; }
  // At most `most`, and at most `version`: there is nothing older.
  std::uint64_t next(std::uint64_t version);

 private:
  std::string spec_;
  std::uint64_t most_ = 0;
  std::function<std::uint64_t(Philox&)> draw_;
  Philox stream_;
};

}  // namespace terse
