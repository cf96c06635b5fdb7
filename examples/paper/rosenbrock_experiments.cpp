#include "examples/paper/rosenbrock_experiments.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "examples/paper/seeds.hpp"
#include "tersegrad/optim/problems/methods.hpp"
#include "tersegrad/optim/problems/sign_laws.hpp"

namespace terse::paper {
namespace {

using namespace problems;
using nlohmann::json;

Vector rosenbrock_start() {
  Vector x(10, 1);  // −1.2, 1, −1.2, 1, …
  for (std::size_t i = 0; i < x.size(); i += 2) x[i] = -1.2;
  return x;
}

// The signs of stochastic gradients at a point of a run.
struct SignsAtPoint {
  Vector margins;  // P(right) − P(wrong) of every coordinate whose gradient is not zero
  double rho_norm = 0;
};

// The signs are drawn from steps that no run takes.
SignsAtPoint signs_at(const Problem& problem, const Oracle& oracle, In x, std::uint64_t step,
                      std::int64_t samples) {
  Vector gradient(x.size());
  problem.gradient(x, gradient);
  const auto first = std::uint64_t{1} << 40 | step * static_cast<std::uint64_t>(samples);
  const auto chances = sign_chances(problem, oracle, 1, x, first, samples);
  SignsAtPoint signs{.margins = {}, .rho_norm = chances.rho_norm(gradient)};
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (gradient[i] != 0) signs.margins.push_back(chances.correct[i] - chances.wrong[i]);
  }
  return signs;
}

constexpr std::uint64_t kPoints = 20;  // of a run, beside its start
constexpr std::size_t kBins = 40;      // of the histogram of all margins, from −1 to 1

// The run of one seed: {f, least, histogram, points: [{step, f, rho_norm, least}]}.
json run_by_signs(const Problem& problem, const Oracle& oracle, double gamma, std::uint64_t steps,
                  std::int64_t samples) {
  const auto step = sign_descent(oracle, constant(gamma));
  Vector x = rosenbrock_start();
  json points = json::array();
  std::vector<std::int64_t> histogram(kBins);
  double least = 1;  // in the second half
  std::uint64_t k = 0;
  for (std::uint64_t point = 0; point <= kPoints; ++point) {
    for (; k < point * steps / kPoints; ++k) step(k, x);
    const auto signs = signs_at(problem, oracle, x, k, samples);
    for (const double margin : signs.margins) {
      ++histogram[std::min(kBins - 1, static_cast<std::size_t>((margin + 1) / 2 * kBins))];
    }
    const double smallest = std::ranges::min(signs.margins);
    points.push_back(
        {{"step", k}, {"f", problem.value(x)}, {"rho_norm", signs.rho_norm}, {"least", smallest}});
    if (2 * point > kPoints) least = std::min(least, smallest);
  }
  return {{"histogram", histogram}, {"f", problem.value(x)}, {"least", least}, {"points", points}};
}

// Takes the points from the seeds and returns their means, that of f being geometric.
json mean_points(json& seeds) {
  json means = seeds.front().at("points");
  const auto count = static_cast<double>(seeds.size());
  for (std::size_t i = 0; i < means.size(); ++i) {
    double log_f = 0, rho_norm = 0, least = 0;
    for (const auto& seed : seeds) {
      const auto& point = seed.at("points").at(i);
      log_f += std::log(point.at("f").get<double>()) / count;
      rho_norm += point.at("rho_norm").get<double>() / count;
      least += point.at("least").get<double>() / count;
    }
    means[i].update({{"f", std::exp(log_f)}, {"rho_norm", rho_norm}, {"least", least}});
  }
  for (auto& seed : seeds) seed.erase("points");
  return means;
}

}  // namespace

Experiment rosenbrock_noise(Scale scale) {
  const std::uint64_t steps = scale == Scale::whole ? 20'000 : 1'000;
  const std::int64_t seeds = scale == Scale::whole ? 10 : 3;
  const std::int64_t samples = scale == Scale::whole ? 10'000 : 500;
  return {.name = "rosenbrock/noise",
          .configuration = {{"steps", steps},
                            {"seeds", seeds},
                            {"samples", samples},
                            {"noise", 1},
                            {"revision", 2}},
          .seconds = 120,
          .measure = [=](const Rows&) {
            const auto problem = make_rosenbrock(10);
            json runs = json::array();
            for (const int batch : {1, 2, 5, 8}) {
              for (const double gamma : {0.002, 0.01, 0.05}) {
                auto of_seeds = for_seeds(seeds, [&](std::uint64_t seed) {
                  const auto oracle =
                      shared_data(*problem, {.batch = batch, .noise = Vector(10, 1), .seed = seed});
                  return run_by_signs(*problem, oracle, gamma, steps, samples);
                });
                const auto points = mean_points(of_seeds);
                runs.push_back(
                    {{"batch", batch}, {"gamma", gamma}, {"points", points}, {"seeds", of_seeds}});
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

}  // namespace terse::paper
