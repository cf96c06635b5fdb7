#include "tersegrad/optim/problems/methods.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/random.hpp"

namespace terse::problems {
namespace {

double sign(double a) {
  return a > 0 ? 1 : a < 0 ? -1 : 0;
}

double norm2(In a) {
  double squares = 0;
  for (const double value : a) squares += value * value;
  return std::sqrt(squares);
}

Philox draws_at(std::uint64_t seed, std::uint32_t node, std::uint64_t k, std::uint32_t what) {
  return Philox(seed, {.purpose = Purpose::update,
                       .worker = node,
                       .step = static_cast<std::uint32_t>(k),
                       .tensor = what});
}

}  // namespace

StepSize constant(double gamma) {
  return [gamma](std::uint64_t) { return gamma; };
}

StepSize decreasing(double gamma) {
  return [gamma](std::uint64_t k) { return gamma / std::sqrt(static_cast<double>(k + 1)); };
}

Step gradient_descent(Oracle oracle, StepSize gamma) {
  return [=, g = Vector()](std::uint64_t k, Out x) mutable {
    g.resize(x.size());
    oracle(0, k, x, g);
    for (std::size_t j = 0; j < x.size(); ++j) x[j] -= gamma(k) * g[j];
  };
}

Step sign_descent(Oracle oracle, StepSize gamma) {
  return vote_descent(std::move(oracle), 1, std::move(gamma));
}

Step vote_descent(Oracle oracle, std::uint32_t nodes, StepSize gamma) {
  return [=, g = Vector(), votes = Vector()](std::uint64_t k, Out x) mutable {
    g.resize(x.size());
    votes.assign(x.size(), 0);
    for (std::uint32_t node = 0; node < nodes; ++node) {
      oracle(node, k, x, g);
      for (std::size_t j = 0; j < x.size(); ++j) votes[j] += sign(g[j]);
    }
    for (std::size_t j = 0; j < x.size(); ++j) x[j] -= gamma(k) * sign(votes[j]);
  };
}

Step only_downhill(const Problem& problem, Step step) {
  return [&problem, step = std::move(step), before = Vector()](std::uint64_t k, Out x) mutable {
    before.assign(x.begin(), x.end());
    step(k, x);
    if (!(problem.value(x) < problem.value(before))) std::ranges::copy(before, x.begin());
  };
}

Step ssdm(Oracle oracle, SsdmOptions options, StepSize gamma) {
  return [=, g = Vector(), sum = Vector(), m = std::vector<Vector>(options.nodes)](std::uint64_t k,
                                                                                   Out x) mutable {
    g.resize(x.size());
    sum.assign(x.size(), 0);
    for (std::uint32_t node = 0; node < options.nodes; ++node) {
      oracle(node, k, x, g);
      Vector& own = m[node];
      if (own.empty()) own = g;
      for (std::size_t j = 0; j < x.size(); ++j) {
        own[j] = options.beta * own[j] + (1 - options.beta) * g[j];
      }
      const double length = norm2(own);
      if (length == 0) continue;
      Philox draws = draws_at(options.seed, node, k, 0);
      for (std::size_t j = 0; j < x.size(); ++j) {
        const double s = draws.uniform_double() < (1 + own[j] / length) / 2 ? 1 : -1;
        sum[j] += options.norms ? length * s : s;
      }
    }
    for (std::size_t j = 0; j < x.size(); ++j) x[j] -= gamma(k) / options.nodes * sum[j];
  };
}

Step ef_sign_descent(Oracle oracle, StepSize gamma) {
  return [=, g = Vector(), e = Vector()](std::uint64_t k, Out x) mutable {
    g.resize(x.size());
    e.resize(x.size());
    oracle(0, k, x, g);
    double magnitude = 0;
    for (std::size_t j = 0; j < x.size(); ++j) {
      e[j] += gamma(k) * g[j];  // e holds p until u is subtracted below
      magnitude += std::abs(e[j]) / static_cast<double>(x.size());
    }
    for (std::size_t j = 0; j < x.size(); ++j) {
      const double u = magnitude * sign(e[j]);
      x[j] -= u;
      e[j] -= u;
    }
  };
}

Step stochastic_average_gradient(const Problem& problem, std::uint64_t seed, StepSize gamma) {
  const std::size_t n = problem.components();
  return [&problem, seed, gamma, sum = Vector(problem.dimension()), g = Vector(problem.dimension()),
          last = std::vector<Vector>(n), seen = 0.0](std::uint64_t k, Out x) mutable {
    Vector& old = last[draws_at(seed, 0, k, 1).below(last.size())];
    problem.component_gradient(static_cast<std::size_t>(&old - last.data()), x, g);
    if (old.empty()) {
      old.assign(x.size(), 0);
      ++seen;
    }
    for (std::size_t j = 0; j < x.size(); ++j) {
      sum[j] += g[j] - old[j];
      x[j] -= gamma(k) * sum[j] / seen;
    }
    old = g;
  };
}

Step zo_sign_descent(const Problem& problem, ZerothOrder options, StepSize gamma) {
  const std::size_t d = problem.dimension();
  return [&problem, options, gamma, u = Vector(d), up = Vector(d), down = Vector(d), g = Vector(d)](
             std::uint64_t k, Out x) mutable {
    Philox draws = draws_at(options.seed, 0, k, 2);
    const std::size_t i = draws.below(problem.components());
    std::ranges::fill(g, 0.0);
    for (std::int64_t q = 0; q < options.directions; ++q) {
      for (double& value : u) value = static_cast<double>(draws.normal());
      const double length = norm2(u);
      for (std::size_t j = 0; j < x.size(); ++j) {
        u[j] /= length;
        up[j] = x[j] + options.mu * u[j];
        down[j] = x[j] - options.mu * u[j];
      }
      const double rise = problem.component_value(i, up) - problem.component_value(i, down);
      for (std::size_t j = 0; j < x.size(); ++j) g[j] += rise * u[j];
    }
    for (std::size_t j = 0; j < x.size(); ++j) x[j] -= gamma(k) * sign(g[j]);
  };
}

}  // namespace terse::problems
