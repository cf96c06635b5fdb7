#include "examples/paper/sign_descent_experiments.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <numbers>
#include <utility>
#include <vector>

#include "examples/paper/seeds.hpp"
#include "tersegrad/optim/problems/methods.hpp"

namespace terse::paper {
namespace {

using namespace problems;
using nlohmann::json;

double norm1(In v) {
  double sum = 0;
  for (const double value : v) sum += std::abs(value);
  return sum;
}
double norm2(In v) {
  double sum = 0;
  for (const double value : v) sum += value * value;
  return std::sqrt(sum);
}

// The distribution function of N(0, 1).
double normal_below(double a) {
  return std::erfc(-a / std::numbers::sqrt2) / 2;
}

// ---- signSGD on a quadratic ---------------------------------------------------------------------

// f(x) = |x|² / 2 in ten dimensions, and normal noise of deviation 1 in each: L_i = 1, rho is known.
struct NoisyQuadratic {
  static constexpr std::size_t kDimension = 10;
  std::unique_ptr<Problem> problem = make_quadratic(Vector(kDimension, 1), {Vector(kDimension, 0)});

  Oracle oracle(std::uint64_t seed) const {
    return shared_data(*problem, {.batch = 0, .noise = Vector(kDimension, 1), .seed = seed});
  }
  static double rho_norm(In g) {
    double sum = 0;
    for (const double value : g) sum += (2 * normal_below(std::abs(value)) - 1) * std::abs(value);
    return sum;
  }
};

}  // namespace

Experiment sign_plateau(Scale scale) {
  const std::uint64_t steps = scale == Scale::whole ? 40'000 : 2'000;
  const Vector rates = {0.01, 0.02, 0.04, 0.08};
  constexpr std::int64_t kSeeds = 3;
  return {.name = "signs/plateau",
          .configuration = {{"steps", steps}, {"gamma", rates}, {"seeds", kSeeds}, {"revision", 1}},
          .seconds = 5,
          .measure = [=](const Rows&) {
            const NoisyQuadratic q;
            const Vector start(q.kDimension, 0.1);
            json bounds = json::array();
            for (const double gamma : rates) {
              bounds.push_back(q.problem->value(start) / (gamma * static_cast<double>(steps)) +
                               gamma * q.kDimension / 2);
            }
            const auto seeds = for_seeds(kSeeds, [&](std::uint64_t seed) {
              json means = json::array(), second = json::array();
              for (const double gamma : rates) {
                const auto step = sign_descent(q.oracle(seed), constant(gamma));
                Vector x = start;
                double sum = 0, late = 0;
                for (std::uint64_t k = 0; k < steps; ++k) {
                  const double norm = q.rho_norm(x);  // the gradient is x
                  sum += norm;
                  late += k < steps / 2 ? 0 : norm;
                  step(k, x);
                }
                means.push_back(sum / static_cast<double>(steps));
                second.push_back(late / (static_cast<double>(steps) / 2));
              }
              return json{{"mean", means}, {"second_half", second}};
            });
            return json{{"gamma", rates}, {"bound", bounds}, {"seeds", seeds}};
          }};
}

namespace {

std::vector<std::uint64_t> step_counts(Scale scale) {
  return scale == Scale::whole
             ? std::vector<std::uint64_t>{10'000, 31'623, 100'000, 316'228, 1'000'000}
             : std::vector<std::uint64_t>{1'000, 3'162, 10'000};
}

}  // namespace

Experiment sign_rate(Scale scale) {
  const auto counts = step_counts(scale);
  constexpr std::int64_t kSeeds = 5;
  constexpr double kGamma = 0.1;
  return {
      .name = "signs/rate",
      .configuration = {{"steps", counts}, {"gamma", kGamma}, {"seeds", kSeeds}, {"revision", 1}},
      .seconds = 10,
      .measure = [=](const Rows&) {
        const NoisyQuadratic q;
        const auto seeds = for_seeds(kSeeds, [&](std::uint64_t seed) {
          const auto step = sign_descent(q.oracle(seed), decreasing(kGamma));
          Vector x(q.kDimension, 0.3);
          double rho_sum = 0, sum = 0;
          json rho_norms = json::array(), norms = json::array();
          std::uint64_t k = 0;
          for (const auto count : counts) {
            for (; k < count; ++k) {
              rho_sum += q.rho_norm(x);
              sum += norm1(x);
              step(k, x);
            }
            rho_norms.push_back(rho_sum / static_cast<double>(count));
            norms.push_back(sum / static_cast<double>(count));
          }
          return json{{"rho_norm", rho_norms}, {"norm", norms}};
        });
        return json{{"steps", counts}, {"seeds", seeds}};
      }};
}

Experiment option_two(Scale scale) {
  const std::uint64_t steps = scale == Scale::whole ? 50'000 : 2'000;
  constexpr std::int64_t kSeeds = 5;
  return {
      .name = "signs/option-two",
      .configuration = {{"steps", steps}, {"seeds", kSeeds}, {"revision", 1}},
      .seconds = 3,
      .measure = [=](const Rows&) {
        const NoisyQuadratic q;
        const auto seeds = for_seeds(kSeeds, [&](std::uint64_t seed) {
          const auto plain = sign_descent(q.oracle(seed), decreasing(0.1));
          const auto downhill = only_downhill(*q.problem, plain);
          Vector one(q.kDimension, 0.3), two = one;
          double sum_one = 0, sum_two = 0, before = q.problem->value(two);
          std::int64_t increases = 0;
          for (std::uint64_t k = 0; k < steps; ++k) {
            sum_one += q.rho_norm(one);
            sum_two += q.rho_norm(two);
            plain(k, one);
            downhill(k, two);
            const double f = q.problem->value(two);
            increases += f > before;
            before = f;
          }
          const auto count = static_cast<double>(steps);
          return json{{"one", sum_one / count}, {"two", sum_two / count}, {"increases", increases}};
        });
        return json{{"seeds", seeds}};
      }};
}

// ---- nodes that disagree ------------------------------------------------------------------------

Experiment counter_example(Scale scale) {
  const std::uint64_t steps = scale == Scale::whole ? 100'000 : 5'000;
  constexpr std::int64_t kSeeds = 5;
  constexpr double kEps = 0.1;
  return {
      .name = "signs/counter-example",
      .configuration = {{"steps", steps}, {"eps", kEps}, {"seeds", kSeeds}, {"revision", 1}},
      .seconds = 2,
      .measure = [=](const Rows&) {
        const auto problem = make_counter_example(kEps);
        const Vector start(2, 1);
        const double f0 = problem->value(start);
        // The least and the last f / f(x_0).
        const auto descend = [&](const Step& step) {
          Vector x = start;
          double least = 1;
          for (std::uint64_t k = 0; k < steps; ++k) {
            step(k, x);
            least = std::min(least, problem->value(x) / f0);
          }
          return std::pair(least, problem->value(x) / f0);
        };
        const auto sampled = [&](std::uint64_t seed) {
          return shared_data(*problem, {.batch = 1, .seed = seed});
        };
        const auto partitioned = partitioned_data(*problem, {});
        json signs = json::array(), vote = json::array();
        for (const double gamma : {0.001, 0.01, 0.1}) {
          signs.push_back(descend(sign_descent(sampled(1), constant(gamma))).first);
          vote.push_back(descend(vote_descent(partitioned, 2, constant(gamma))).first);
        }
        const auto k = static_cast<double>(steps);
        const auto seeds = for_seeds(kSeeds, [&](std::uint64_t seed) {
          const SsdmOptions options{.nodes = 2, .beta = 1 - 1 / std::sqrt(k), .seed = seed};
          return json{
              {"ssdm", descend(ssdm(partitioned, options, constant(std::pow(k, -0.75)))).second},
              {"feedback", descend(ef_sign_descent(sampled(seed), constant(0.01))).second}};
        });
        return json{{"signs", signs}, {"vote", vote}, {"seeds", seeds}};
      }};
}

namespace {

// SSDM of three nodes for each number of steps, with beta and gamma of the theorem.
json ssdm_norms(const Problem& problem, const std::function<Oracle(std::uint64_t)>& oracle,
                const std::vector<std::uint64_t>& counts, std::int64_t seeds) {
  const auto of_seeds = for_seeds(seeds, [&](std::uint64_t seed) {
    json norms = json::array();
    for (const auto count : counts) {
      const auto k = static_cast<double>(count);
      const SsdmOptions options{.nodes = 3, .beta = 1 - 1 / std::sqrt(k), .seed = seed};
      const auto step = ssdm(oracle(seed), options, constant(std::pow(k, -0.75)));
      Vector x(problem.dimension(), 1), gradient(problem.dimension());
      double sum = 0;
      for (std::uint64_t i = 0; i < count; ++i) {
        problem.gradient(x, gradient);
        sum += norm2(gradient);
        step(i, x);
      }
      norms.push_back(sum / k);
    }
    return json{{"norm", norms}};
  });
  return {{"steps", counts}, {"seeds", of_seeds}};
}

}  // namespace

Experiment ssdm_rate(Scale scale) {
  const auto counts = step_counts(scale);
  constexpr std::int64_t kSeeds = 5;
  return {.name = "signs/ssdm-rate",
          .configuration = {{"steps", counts}, {"seeds", kSeeds}, {"revision", 1}},
          .seconds = 60,
          .measure = [=](const Rows&) {
            const NoisyQuadratic q;
            return ssdm_norms(
                *q.problem, [&](std::uint64_t seed) { return q.oracle(seed); }, counts, kSeeds);
          }};
}

Experiment ssdm_partitioned(Scale scale) {
  const auto counts = step_counts(scale);
  constexpr std::int64_t kSeeds = 5;
  return {.name = "signs/ssdm-partitioned",
          .configuration = {{"steps", counts}, {"seeds", kSeeds}, {"revision", 1}},
          .seconds = 60,
          .measure = [=](const Rows&) {
            const auto problem = make_disagreeing_quadratics(10, 3, 1);
            return ssdm_norms(
                *problem,
                [&](std::uint64_t seed) {
                  return partitioned_data(*problem, {.noise = Vector(10, 1), .seed = seed});
                },
                counts, kSeeds);
          }};
}

}  // namespace terse::paper
