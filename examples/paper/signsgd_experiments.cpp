#include "examples/paper/signsgd_experiments.hpp"

#include <cmath>

#include "examples/paper/seeds.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/optim/problems/methods.hpp"

namespace terse::paper {
namespace {

using namespace problems;
using nlohmann::json;

// The first `byzantine` nodes send the opposite sign.
Oracle inverted(Oracle honest, std::uint32_t byzantine) {
  return
      [honest = std::move(honest), byzantine](std::uint32_t node, std::uint64_t step, In x, Out g) {
        honest(node, step, x, g);
        if (node >= byzantine) return;
        for (double& value : g) value = -value;
      };
}

// A quadratic with ten different curvatures and a noise level for each coordinate, as the theorems
// have them: bounds per coordinate.
struct TheoremProblem {
  static constexpr std::size_t kDimension = 10;
  Vector curvature, noise, start = Vector(kDimension, 1);
  double curvatures = 0, deviations = 0;  // |L|_1, |sigma|_1
  double gap = 0;                         // f(x_0) - f*
  std::unique_ptr<Problem> problem;

  TheoremProblem() {
    for (std::size_t j = 0; j < kDimension; ++j) {
      curvature.push_back(0.2 + 0.2 * static_cast<double>(j));
      noise.push_back(2 - 0.15 * static_cast<double>(j));
      curvatures += curvature.back();
      deviations += noise.back();
    }
    problem = make_quadratic(curvature, {Vector(kDimension, 0)});
    gap = problem->value(start);
  }

  // Means of `batch` samples.
  Oracle oracle(double batch, std::uint64_t seed) const {
    Vector of_batch = noise;
    for (double& value : of_batch) value /= std::sqrt(batch);
    return shared_data(*problem, {.batch = 0, .noise = of_batch, .seed = seed});
  }
  // The mean over `steps` steps of measure(x).
  template <class Measure>
  double mean(Step step, std::uint64_t steps, Measure measure) const {
    Vector x = start;
    double sum = 0;
    for (std::uint64_t k = 0; k < steps; ++k) {
      sum += measure(x);
      step(k, x);
    }
    return sum / static_cast<double>(steps);
  }
  double norm1(In x) const {
    double sum = 0;
    for (std::size_t j = 0; j < x.size(); ++j) sum += curvature[j] * std::abs(x[j]);
    return sum;
  }
  double mean_norm(Oracle oracle, std::uint32_t voters, double eta, std::uint64_t steps) const {
    return mean(vote_descent(std::move(oracle), voters, constant(eta)), steps,
                [this](In x) { return norm1(x); });
  }
  // The rate of theorem 1, and the bound of theorems 1 and 2 on the mean of |g|_1.
  double eta(double steps) const { return 1 / std::sqrt(curvatures * steps); }
  double bound(double steps, double voters) const {
    return (std::sqrt(curvatures) * (gap + 0.5) + 2 * deviations / std::sqrt(voters)) /
           std::sqrt(steps);
  }
};

constexpr std::int64_t kSeeds = 5;

}  // namespace

Experiment two_point_noise(Scale) {
  constexpr std::uint64_t kSteps = 5'000;
  constexpr std::int64_t kThree = 3;
  return {.name = "signsgd/two-point-noise",
          .configuration = {{"steps", kSteps}, {"seeds", kThree}, {"revision", 1}},
          .seconds = 1,
          .measure = [](const Rows&) {
            const auto problem = make_quadratic({1}, {{0}});
            return json{{"seeds", for_seeds(kThree, [&](std::uint64_t seed) {
                           // Mean 0: 18 with probability 0.1, else −2.
                           const Oracle oracle = [&](std::uint32_t, std::uint64_t step, In x,
                                                     Out g) {
                             Philox draws(seed, {.purpose = Purpose::problem,
                                                 .step = static_cast<std::uint32_t>(step)});
                             g[0] = x[0] + (draws.uniform_double() < 0.1 ? 18 : -2);
                           };
                           const auto step = sign_descent(oracle, constant(0.01));
                           Vector x = {0.1};
                           const double before = problem->value(x);
                           for (std::uint64_t k = 0; k < kSteps; ++k) step(k, x);
                           return json{{"ratio", problem->value(x) / before}};
                         })}};
          }};
}

Experiment large_batches(Scale) {
  return {.name = "signsgd/large-batches",
          .configuration = {{"seeds", kSeeds}, {"revision", 1}},
          .seconds = 2,
          .measure = [](const Rows&) {
            const TheoremProblem p;
            json cases = json::array();
            for (const int steps : {100, 400, 1600}) {
              cases.push_back({{"steps", steps},
                               {"bound", p.bound(steps, 1)},
                               {"means", for_seeds(kSeeds, [&](std::uint64_t seed) {
                                  return json(p.mean_norm(p.oracle(steps, seed), 1, p.eta(steps),
                                                          static_cast<std::uint64_t>(steps)));
                                })}});
            }
            return json{{"cases", cases}};
          }};
}

Experiment inverted_voters_bound(Scale) {
  constexpr std::uint32_t kVoters = 9;
  return {.name = "signsgd/inverted-voters-bound",
          .configuration = {{"voters", kVoters}, {"seeds", kSeeds}, {"revision", 1}},
          .seconds = 3,
          .measure = [](const Rows&) {
            const TheoremProblem p;
            json cases = json::array();
            for (const int steps : {100, 1600}) {
              const double eta = std::sqrt(p.gap / (p.curvatures * steps));
              for (std::uint32_t byzantine = 0; byzantine <= 4; ++byzantine) {
                const double honest = 1 - 2.0 * byzantine / kVoters;
                const double bound = 2 / std::sqrt(steps) *
                                     (p.deviations / (honest * std::sqrt(kVoters)) +
                                      std::sqrt(p.curvatures * p.gap));
                cases.push_back(
                    {{"steps", steps},
                     {"byzantine", byzantine},
                     {"bound", bound},
                     {"means", for_seeds(kSeeds, [&](std::uint64_t seed) {
                        return json(p.mean_norm(inverted(p.oracle(steps, seed), byzantine), kVoters,
                                                eta, static_cast<std::uint64_t>(steps)));
                      })}});
              }
            }
            return json{{"cases", cases}};
          }};
}

Experiment vote_noise(Scale scale) {
  const std::uint64_t steps = scale == Scale::whole ? 10'000 : 400;
  const std::vector<std::uint32_t> voters = {1, 2, 4, 8, 16, 32, 64};
  return {
      .name = "signsgd/vote-noise",
      .configuration = {{"steps", steps}, {"voters", voters}, {"seeds", kSeeds}, {"revision", 1}},
      .seconds = 60,
      .measure = [=](const Rows&) {
        const TheoremProblem p;
        const auto k = static_cast<double>(steps);
        const auto exact = shared_data(*p.problem, {.batch = 0});
        json bounds = json::array();
        for (const auto m : voters) bounds.push_back(p.bound(k, m));
        return json{{"voters", voters},
                    {"bound", bounds},
                    {"noiseless", p.mean_norm(exact, 1, p.eta(k), steps)},
                    {"seeds", for_seeds(kSeeds, [&](std::uint64_t seed) {
                       json batch = json::array(), single = json::array();
                       for (const auto m : voters) {
                         batch.push_back(p.mean_norm(p.oracle(k, seed), m, p.eta(k), steps));
                         single.push_back(p.mean_norm(p.oracle(1, seed), m, p.eta(k), steps));
                       }
                       return json{{"batch", batch}, {"single", single}};
                     })}};
      }};
}

Experiment small_batches(Scale scale) {
  const std::vector<int> counts =
      scale == Scale::whole ? std::vector{1'000, 10'000, 100'000} : std::vector{100, 1'000};
  return {
      .name = "signsgd/small-batches",
      .configuration = {{"steps", counts}, {"seeds", kSeeds}, {"revision", 1}},
      .seconds = 3,
      .measure = [=](const Rows&) {
        const TheoremProblem p;
        // |g| above the critical ratio 2/√3, g²/σ below it.
        const auto mixed_norm = [&](In x) {
          double sum = 0;
          for (std::size_t j = 0; j < x.size(); ++j) {
            const double g = p.curvature[j] * std::abs(x[j]);
            sum += g > 2 / std::sqrt(3.0) * p.noise[j] ? g : g * g / p.noise[j];
          }
          return sum;
        };
        json cases = json::array();
        for (const int steps : counts) {
          const double eta = std::sqrt(p.gap / (p.curvatures * steps));
          cases.push_back({{"steps", steps},
                           {"bound", 3 * std::sqrt(p.curvatures * p.gap / steps)},
                           {"means", for_seeds(kSeeds, [&](std::uint64_t seed) {
                              return json(p.mean(sign_descent(p.oracle(1, seed), constant(eta)),
                                                 static_cast<std::uint64_t>(steps), mixed_norm));
                            })}});
        }
        return json{{"cases", cases}};
      }};
}

namespace {

// f = |x|²/2 in a hundred dimensions: SGD at 0.001 and signSGD at 0.01 with the same noise.
Experiment noise_floor(const char* name, const Vector& noise, Scale scale) {
  const std::uint64_t steps = scale == Scale::whole ? 10'000 : 1'000;
  const std::int64_t seeds = scale == Scale::whole ? 10 : 3;
  return {.name = name,
          .configuration = {{"steps", steps}, {"seeds", seeds}, {"revision", 1}},
          .seconds = 15,
          .measure = [=](const Rows&) {
            const std::size_t d = noise.size();
            const auto problem = make_quadratic(Vector(d, 1), {Vector(d, 0)});
            return json{{"seeds", for_seeds(seeds, [&](std::uint64_t seed) {
                           const auto oracle =
                               shared_data(*problem, {.batch = 0, .noise = noise, .seed = seed});
                           const auto floor_of = [&](const Step& step) {
                             Philox draws(seed, {.purpose = Purpose::probe});
                             Vector x(d);
                             for (double& value : x) value = static_cast<double>(draws.normal());
                             double sum = 0;
                             for (std::uint64_t k = 0; k < steps; ++k) {
                               if (5 * k >= 4 * steps) sum += problem->value(x);
                               step(k, x);
                             }
                             return sum / (static_cast<double>(steps) / 5);
                           };
                           return json{{"sgd", floor_of(gradient_descent(oracle, constant(0.001)))},
                                       {"sign", floor_of(sign_descent(oracle, constant(0.01)))}};
                         })}};
          }};
}

}  // namespace

Experiment sparse_noise(Scale scale) {
  Vector noise(100);
  noise[0] = 100;
  return noise_floor("signsgd/sparse-noise", noise, scale);
}

Experiment dense_noise(Scale scale) {
  return noise_floor("signsgd/dense-noise", Vector(100, 10), scale);
}

Experiment inverted_voters(Scale scale) {
  const std::size_t d = scale == Scale::whole ? 1'000 : 50;
  constexpr std::uint64_t kSteps = 2'000;
  constexpr std::uint32_t kVoters = 27;
  constexpr std::int64_t kThree = 3;
  const std::vector<std::uint32_t> byzantine = {0, 5, 9, 12, 13, 14};
  return {.name = "signsgd/inverted-voters",
          .configuration = {{"dimension", d},
                            {"voters", kVoters},
                            {"byzantine", byzantine},
                            {"seeds", kThree},
                            {"revision", 1}},
          .seconds = 40,
          .measure = [=](const Rows&) {
            const auto problem = make_quadratic(Vector(d, 1), {Vector(d, 0)});
            return json{{"byzantine", byzantine},
                        {"seeds", for_seeds(kThree, [&](std::uint64_t seed) {
                           const auto honest = shared_data(
                               *problem, {.batch = 0, .noise = Vector(d, 1), .seed = seed});
                           Philox draws(seed, {.purpose = Purpose::probe});
                           Vector start(d);
                           for (double& value : start) value = static_cast<double>(draws.normal());
                           json values = json::array();
                           for (const auto count : byzantine) {
                             const auto step =
                                 vote_descent(inverted(honest, count), kVoters, constant(0.01));
                             Vector x = start;
                             for (std::uint64_t k = 0; k < kSteps; ++k) step(k, x);
                             values.push_back(problem->value(x));
                           }
                           return json{{"f", values}, {"start", problem->value(start)}};
                         })}};
          }};
}

}  // namespace terse::paper
