#include "examples/paper/sign_experiments.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "examples/paper/seeds.hpp"
#include "examples/run/exchange.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/optim/problems/methods.hpp"
#include "tersegrad/optim/problems/sign_laws.hpp"

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

Philox draws_of(std::uint64_t seed, std::size_t number) {
  return Philox(seed, {.purpose = Purpose::probe, .tensor = static_cast<std::uint32_t>(number)});
}

// The cases of all seeds in one array.
json cases_of(std::int64_t seeds, const std::function<json(std::uint64_t)>& make) {
  json cases = json::array();
  for (const auto& of_seed : for_seeds(seeds, make)) {
    cases.insert(cases.end(), of_seed.begin(), of_seed.end());
  }
  return {{"cases", std::move(cases)}};
}

double binomial_error(double rho, std::int64_t draws) {
  // At least that of one draw, so that a share of exactly 0 or 1 keeps an error.
  const auto n = static_cast<double>(draws);
  return std::sqrt(std::max(rho * (1 - rho), 1 / n) / n);
}

// ---- one sign -----------------------------------------------------------------------------------

struct Noise {
  const char* name;
  double (*draw)(Philox&);  // mean 0, variance 1
};

double laplace(Philox& draws) {
  const double u = draws.uniform_double() - 0.5;
  return (u < 0 ? 1 : -1) * std::log1p(-2 * std::abs(u)) / std::numbers::sqrt2;
}
double uniform(Philox& draws) {
  return (2 * draws.uniform_double() - 1) * std::numbers::sqrt3;
}
double normal(Philox& draws) {
  return static_cast<double>(draws.normal());
}
double skewed(Philox& draws) {  // −1/3 with probability 0.9, else 3
  return draws.uniform_double() < 0.1 ? 3.0 : -1.0 / 3;
}
double bimodal(Philox& draws) {  // near ±1
  return (draws.uniform_double() < 0.5 ? -1 : 1) * std::sqrt(0.99) + 0.1 * normal(draws);
}

constexpr std::array<Noise, 3> kUnimodal = {
    {{"normal", normal}, {"uniform", uniform}, {"Laplace", laplace}}};
constexpr std::array<Noise, 3> kAny = {
    {{"normal", normal}, {"skewed", skewed}, {"bimodal", bimodal}}};

}  // namespace

Experiment sign_success(Scale scale) {
  const std::int64_t draws = scale == Scale::whole ? 1'000'000 : 20'000;
  const std::vector<double> ratios = {0.05, 0.1, 0.25, 0.5, 1, 1.1547, 1.5, 2, 4, 8};
  constexpr std::int64_t kSeeds = 3;
  return {.name = "signs/success",
          .configuration = {{"draws", draws}, {"snr", ratios}, {"seeds", kSeeds}, {"revision", 1}},
          .seconds = 3,
          .measure = [=](const Rows&) {
            return cases_of(kSeeds, [&](std::uint64_t seed) {
              json cases = json::array();
              for (const auto& noise : kUnimodal) {
                for (const double snr : ratios) {
                  auto random = draws_of(seed, cases.size());
                  std::int64_t right = 0;
                  for (std::int64_t i = 0; i < draws; ++i) right += snr + noise.draw(random) > 0;
                  const double rho = static_cast<double>(right) / static_cast<double>(draws);
                  cases.push_back({{"noise", noise.name},
                                   {"snr", snr},
                                   {"rho", rho},
                                   {"error", binomial_error(rho, draws)}});
                }
              }
              return cases;
            });
          }};
}

Experiment batch_success(Scale scale) {
  const std::int64_t draws = scale == Scale::whole ? 100'000 : 2'000;
  constexpr std::int64_t kSeeds = 3;
  return {.name = "signs/batches",
          .configuration = {{"draws", draws}, {"seeds", kSeeds}, {"revision", 1}},
          .seconds = 15,
          .measure = [=](const Rows&) {
            return cases_of(kSeeds, [&](std::uint64_t seed) {
              json cases = json::array();
              for (const auto& noise : kAny) {
                for (const int c : {1, 4}) {
                  for (const int tau : {3 * c, 10 * c, 30 * c}) {
                    auto random = draws_of(seed, cases.size());
                    std::int64_t right = 0;
                    for (std::int64_t i = 0; i < draws; ++i) {
                      double sum = tau;  // of tau samples; g = 1, sigma² = c
                      for (int sample = 0; sample < tau; ++sample) {
                        sum += std::sqrt(c) * noise.draw(random);
                      }
                      right += sum > 0;
                    }
                    const double rho = static_cast<double>(right) / static_cast<double>(draws);
                    cases.push_back({{"noise", noise.name},
                                     {"c", c},
                                     {"tau", tau},
                                     {"rho", rho},
                                     {"error", binomial_error(rho, draws)}});
                  }
                }
              }
              return cases;
            });
          }};
}

// ---- signSGD on a quadratic ---------------------------------------------------------------------

namespace {

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

// ---- votes --------------------------------------------------------------------------------------

namespace {

// The share of `trials` coordinates on which the compressor's vote of `nodes` workers is right. Each
// worker has the right sign, +, with probability rho. A tie is a coin.
double share_of_right_votes(std::int64_t nodes, double rho, std::size_t trials,
                            std::uint64_t seed) {
  std::vector<float> values(trials);
  const std::vector<GradView> views = {
      {.id = 0, .rows = static_cast<std::int64_t>(trials), .cols = 1, .kernel = 1, .data = values}};
  std::vector<Packet> up(static_cast<std::size_t>(nodes));
  std::vector<std::unique_ptr<Compressor>> workers;
  Round round{.seed = seed, .count = static_cast<std::int64_t>(trials)};
  for (std::size_t w = 0; w < up.size(); ++w) {
    Philox draws(seed, {.purpose = Purpose::probe, .worker = static_cast<std::uint32_t>(w)});
    for (float& value : values) value = draws.uniform_double() < rho ? 1.0F : -1.0F;
    workers.push_back(make_compressor("vote"));
    workers.back()->encode(round, views, up[w]);
  }
  const auto down = run::down_packet(*workers.front(), round, views, up);
  std::vector<float> scratch(trials);
  const auto decoded = workers.front()->decode(round, down, views).read(0, scratch);
  return static_cast<double>(std::ranges::count(decoded, 1.0F)) / static_cast<double>(trials);
}

}  // namespace

Experiment vote_success_rates(Scale scale) {
  const std::size_t trials = scale == Scale::whole ? 200'000 : 5'000;
  constexpr std::int64_t kSeeds = 3;
  return {.name = "signs/votes",
          .configuration = {{"trials", trials}, {"seeds", kSeeds}, {"revision", 1}},
          .seconds = 40,
          .measure = [=](const Rows&) {
            return cases_of(kSeeds, [&](std::uint64_t seed) {
              json cases = json::array();
              for (const double rho : {0.51, 0.55, 0.6, 0.7, 0.8, 0.9}) {
                for (const int nodes : {1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 21, 22, 31, 32, 50, 51}) {
                  const double success = share_of_right_votes(nodes, rho, trials, seed);
                  cases.push_back(
                      {{"nodes", nodes},
                       {"rho", rho},
                       {"seed", seed},
                       {"success", success},
                       {"error", binomial_error(success, static_cast<std::int64_t>(trials))},
                       {"stated", vote_success(rho, static_cast<std::uint32_t>(nodes))}});
                }
              }
              return cases;
            });
          }};
}

// ---- Rosenbrock's function ----------------------------------------------------------------------

namespace {

Vector rosenbrock_start() {
  Vector x(10, 1);  // −1.2, 1, −1.2, 1, …
  for (std::size_t i = 0; i < x.size(); i += 2) x[i] = -1.2;
  return x;
}

// P(right) − P(wrong) of every coordinate whose gradient is not zero. The signs are drawn from steps
// that no run takes.
Vector margins_at(const Problem& problem, const Oracle& oracle, In x, std::uint64_t step,
                  std::int64_t samples) {
  Vector gradient(x.size()), margins;
  problem.gradient(x, gradient);
  const auto first = std::uint64_t{1} << 40 | step * static_cast<std::uint64_t>(samples);
  const auto chances = sign_chances(problem, oracle, 1, x, first, samples);
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (gradient[i] != 0) margins.push_back(chances.correct[i] - chances.wrong[i]);
  }
  return margins;
}

}  // namespace

Experiment rosenbrock_noise(Scale scale) {
  const std::uint64_t steps = scale == Scale::whole ? 20'000 : 1'000;
  const std::int64_t seeds = scale == Scale::whole ? 10 : 3;
  const std::int64_t samples = scale == Scale::whole ? 10'000 : 500;
  constexpr std::uint64_t kPoints = 20;
  constexpr std::size_t kBins = 40;  // of the histogram of all margins, from −1 to 1
  return {
      .name = "rosenbrock/noise",
      .configuration =
          {{"steps", steps}, {"seeds", seeds}, {"samples", samples}, {"noise", 1}, {"revision", 1}},
      .seconds = 120,
      .measure = [=](const Rows&) {
        const auto problem = make_rosenbrock(10);
        json runs = json::array();
        for (const int batch : {1, 2, 5, 8}) {
          for (const double gamma : {0.002, 0.01, 0.05}) {
            const auto of_seeds = for_seeds(seeds, [&](std::uint64_t seed) {
              const auto oracle =
                  shared_data(*problem, {.batch = batch, .noise = Vector(10, 1), .seed = seed});
              const auto step = sign_descent(oracle, constant(gamma));
              Vector x = rosenbrock_start();
              json points = json::array();
              std::vector<std::int64_t> histogram(kBins);
              double least = 1;  // in the second half
              std::uint64_t k = 0;
              for (std::uint64_t point = 0; point <= kPoints; ++point) {
                for (; k < point * steps / kPoints; ++k) step(k, x);
                const auto margins = margins_at(*problem, oracle, x, k, samples);
                for (const double margin : margins) {
                  ++histogram[std::min(kBins - 1,
                                       static_cast<std::size_t>((margin + 1) / 2 * kBins))];
                }
                const double smallest = std::ranges::min(margins);
                points.push_back({{"step", k}, {"f", problem->value(x)}, {"least", smallest}});
                if (2 * point > kPoints) least = std::min(least, smallest);
              }
              json result = {{"histogram", histogram}, {"f", problem->value(x)}, {"least", least}};
              if (seed == 1) result["points"] = points;
              return result;
            });
            runs.push_back({{"batch", batch}, {"gamma", gamma}, {"seeds", of_seeds}});
          }
        }
        return json{{"samples", samples}, {"runs", runs}};
      }};
}

Experiment rosenbrock_votes(Scale scale) {
  const std::uint64_t steps = scale == Scale::whole ? 5'000 : 500;
  const std::int64_t seeds = scale == Scale::whole ? 10 : 3;
  return {.name = "rosenbrock/votes",
          .configuration = {{"steps", steps}, {"seeds", seeds}, {"noise", 10}, {"revision", 1}},
          .seconds = 20,
          .measure = [=](const Rows&) {
            const auto problem = make_rosenbrock(10);
            const std::vector<std::uint32_t> nodes = {1, 2, 3, 4, 9, 25};
            json values = json::array();
            for (const auto n : nodes) {
              values.push_back(for_seeds(seeds, [&](std::uint64_t seed) {
                const auto oracle = shared_data(*problem, {.noise = Vector(10, 10), .seed = seed});
                const auto step = vote_descent(oracle, n, decreasing(0.02));
                Vector x = rosenbrock_start();
                for (std::uint64_t k = 0; k < steps; ++k) step(k, x);
                return json(problem->value(x));
              }));
            }
            return json{{"nodes", nodes}, {"f", values}};
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
