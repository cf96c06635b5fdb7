#include "examples/paper/sign_experiments.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <numbers>
#include <utility>
#include <vector>

#include "examples/paper/seeds.hpp"
#include "examples/run/exchange.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/optim/problems/sign_laws.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

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
                       {"stated", problems::vote_success(rho, static_cast<std::uint32_t>(nodes))}});
                }
              }
              return cases;
            });
          }};
}

}  // namespace terse::paper
