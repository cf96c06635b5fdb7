#include "rule_references.hpp"

#include <cmath>

#include "tersegrad/core/random.hpp"

namespace terse {
namespace {

double sign(double a) {
  return a > 0 ? 1 : a < 0 ? -1 : 0;
}

double norm(std::span<const double> a) {
  double squares = 0;
  for (const double value : a) squares += value * value;
  return std::sqrt(squares);
}

// The random number of parameter i in [-1, 1).
double draw(const NaiveState& s, int step, std::size_t i) {
  const Philox words(s.seed,
                     {.purpose = Purpose::update, .step = static_cast<std::uint32_t>(step)});
  return words.at(i) / 2147483648.0 - 1;
}

// m' of parameter i and the variance of m', after the moving averages have been updated with g.
// Step k has the weight w_k = (1 - beta) beta^(t-k) / (1 - beta^t), and r is the sum of w_k^2.
struct Noisy {
  double mean, variance;
};
Noisy averaged(NaiveState& s, std::size_t i, double g, double beta) {
  s.m[i] = beta * s.m[i] + (1 - beta) * g;
  s.v[i] = beta * s.v[i] + (1 - beta) * g * g;
  double sum = 0, squares = 0;
  for (int k = 0; k <= s.step; ++k) {
    const double weight = (1 - beta) * std::pow(beta, k);
    sum += weight;
    squares += weight * weight;
  }
  const double r = squares / (sum * sum), mean = s.m[i] / sum;
  const double variance = s.step == 0 ? 0 : (s.v[i] / sum - mean * mean) / (1 - r);
  return {mean, r * variance};
}

void momentum(NaiveState& s, std::span<const double> g, double beta, double decay) {
  for (std::size_t i = 0; i < g.size(); ++i) {
    const double all = g[i] + decay * s.x[i];
    s.m[i] = s.step == 0 ? all : beta * s.m[i] + (1 - beta) * all;
  }
}

const RuleReference kReferences[] = {
    {"signsgd", 0.01,
     [](NaiveState& s, std::span<const double> g, double lr) {
       for (std::size_t i = 0; i < g.size(); ++i) s.x[i] -= lr * sign(g[i]);
     }},
    {"signsgd:weight_decay=0.2,decay=outside", 0.01,
     [](NaiveState& s, std::span<const double> g, double lr) {
       for (std::size_t i = 0; i < g.size(); ++i) s.x[i] -= lr * (sign(g[i]) + 0.2 * s.x[i]);
     }},
    {"signsgd:weight_decay=0.2,decay=inside", 0.01,
     [](NaiveState& s, std::span<const double> g, double lr) {
       for (std::size_t i = 0; i < g.size(); ++i) s.x[i] -= lr * sign(g[i] + 0.2 * s.x[i]);
     }},
    {"signum:beta=0.8,weight_decay=0.2,decay=outside", 0.01,
     [](NaiveState& s, std::span<const double> g, double lr) {
       for (std::size_t i = 0; i < g.size(); ++i) {
         s.m[i] = 0.8 * s.m[i] + 0.2 * g[i];
         s.x[i] -= lr * (sign(s.m[i]) + 0.2 * s.x[i]);
       }
     }},
    {"signum:beta=0.8,weight_decay=0.2,decay=inside", 0.01,
     [](NaiveState& s, std::span<const double> g, double lr) {
       for (std::size_t i = 0; i < g.size(); ++i) {
         s.m[i] = 0.8 * s.m[i] + 0.2 * (g[i] + 0.2 * s.x[i]);
         s.x[i] -= lr * sign(s.m[i]);
       }
     }},
    {"ssd:beta=0.8,weight_decay=0.2,decay=outside", 0.01,
     [](NaiveState& s, std::span<const double> g, double lr) {
       momentum(s, g, 0.8, 0);
       const double length = norm(s.m);
       for (std::size_t i = 0; i < g.size(); ++i) {
         const double c = draw(s, s.step, i) < s.m[i] / length ? 1 : -1;
         s.x[i] -= lr * (c + 0.2 * s.x[i]);
       }
     }},
    {"ssd:beta=0.8,weight_decay=0.2,decay=inside", 0.01,
     [](NaiveState& s, std::span<const double> g, double lr) {
       momentum(s, g, 0.8, 0.2);
       const double length = norm(s.m);
       for (std::size_t i = 0; i < g.size(); ++i) {
         s.x[i] -= lr * (draw(s, s.step, i) < s.m[i] / length ? 1 : -1);
       }
     }},
    {"ssd_bh:beta=0.8,weight_decay=0.2,decay=outside", 0.01,
     [](NaiveState& s, std::span<const double> g, double lr) {
       for (std::size_t i = 0; i < g.size(); ++i) {
         const auto [mean, variance] = averaged(s, i, g[i], 0.8);
         const double lean = variance > 0 ? std::erf(mean / std::sqrt(2 * variance)) : sign(mean);
         const double c = lean == 0 ? 0 : draw(s, s.step + 1, i) < lean ? 1 : -1;
         s.x[i] -= lr * (c + 0.2 * s.x[i]);
       }
     }},
    {"nsgd:beta=0.8,weight_decay=0.1", 0.05,
     [](NaiveState& s, std::span<const double> g, double lr) {
       momentum(s, g, 0.8, 0.1);
       const double length = norm(s.m);
       for (std::size_t i = 0; i < g.size(); ++i) s.x[i] -= lr * s.m[i] / length;
     }},
    {"msvag:beta=0.8,weight_decay=0.1", 0.05,
     [](NaiveState& s, std::span<const double> g, double lr) {
       for (std::size_t i = 0; i < g.size(); ++i) {
         const auto [mean, variance] = averaged(s, i, g[i] + 0.1 * s.x[i], 0.8);
         if (mean != 0) s.x[i] -= lr * mean * mean * mean / (mean * mean + variance);
       }
     }},
    {"yogi:beta1=0.8,beta2=0.9,eps=0.01,weight_decay=0.1,initial_accumulator=0.5", 0.02,
     [](NaiveState& s, std::span<const double> g, double lr) {
       for (std::size_t i = 0; i < g.size(); ++i) {
         const double all = g[i] + 0.1 * s.x[i], square = all * all;
         if (s.step == 0) s.v[i] = 0.5;
         s.m[i] = 0.8 * s.m[i] + 0.2 * all;
         s.v[i] -= 0.1 * sign(s.v[i] - square) * square;
         const double m = s.m[i] / (1 - std::pow(0.8, s.step + 1));
         const double v = s.v[i] / (1 - std::pow(0.9, s.step + 1));
         s.x[i] -= lr * m / (std::sqrt(v) + 0.01);
       }
     }},
    {"lars:trust=0.1,momentum=0.8,weight_decay=0.05", 0.5,
     [](NaiveState& s, std::span<const double> g, double lr) {
       std::size_t first = 0;
       for (const auto size : s.tensors) {
         const double x = norm(std::span(s.x).subspan(first, size));
         const double slope = norm(g.subspan(first, size));
         const double ratio = x > 0 && slope > 0 ? 0.1 * x / (slope + 0.05 * x) : 1;
         for (std::size_t i = first; i < first + size; ++i) {
           s.m[i] = 0.8 * s.m[i] + lr * ratio * (g[i] + 0.05 * s.x[i]);
           s.x[i] -= s.m[i];
         }
         first += size;
       }
     }},
};

}  // namespace

std::span<const RuleReference> rule_references() {
  return kReferences;
}

}  // namespace terse
