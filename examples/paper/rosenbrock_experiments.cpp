#include "examples/paper/rosenbrock_experiments.hpp"

#include <algorithm>
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

}  // namespace terse::paper
