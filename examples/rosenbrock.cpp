// Descends Rosenbrock's function by signs of noisy gradients and measures how often they are right.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "examples/run/command_line.hpp"
#include "examples/run/line_chart.hpp"
#include "examples/run/output.hpp"
#include "examples/run/program.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/inspect/json.hpp"
#include "tersegrad/inspect/run_folder.hpp"
#include "tersegrad/optim/problems/methods.hpp"
#include "tersegrad/optim/problems/sign_laws.hpp"

namespace {

using namespace terse;
using namespace terse::problems;

struct Experiment {
  std::int64_t dimension = 10, batch = 1, workers = 5, steps = 2000, repeat = 10, samples = 500;
  std::optional<double> lr, noise;
  bool decreasing = false;
  std::uint64_t seed = 1;
};

// Values at one step, means over the repetitions.
struct Point {
  std::int64_t step = 0;
  double f = 0, rho_norm = 0;
  double correct = 0, wrong = 0;  // means over the coordinates too
  double least = 0;               // P(correct) - P(wrong) of the worst coordinate
};

struct Path {
  std::string name;
  std::vector<Point> points;
};

constexpr std::int64_t kPoints = 8;

// Draws signs at x from steps that the run does not take.
void measure(const Experiment& e, const Problem& problem, const Oracle& oracle, std::uint32_t nodes,
             const Vector& x, Point& p) {
  Vector gradient(x.size());
  problem.gradient(x, gradient);
  const auto first = std::uint64_t{1} << 40 | static_cast<std::uint64_t>(p.step * e.samples);
  const auto chances = sign_chances(problem, oracle, nodes, x, first, e.samples);
  const double share = 1 / static_cast<double>(e.repeat), d = static_cast<double>(x.size());
  double least = 1;
  for (std::size_t i = 0; i < x.size(); ++i) {
    p.correct += share * chances.correct[i] / d;
    p.wrong += share * chances.wrong[i] / d;
    if (gradient[i] != 0) least = std::min(least, chances.correct[i] - chances.wrong[i]);
  }
  p.least += share * least;
  p.f += share * problem.value(x);
  p.rho_norm += share * chances.rho_norm(gradient);
}

Path descend(const Experiment& e, const std::string& name, std::uint32_t nodes, bool downhill) {
  const auto problem = make_rosenbrock(static_cast<std::size_t>(e.dimension));
  const StepSize gamma = e.decreasing ? decreasing(*e.lr) : constant(*e.lr);
  Path path{.name = name, .points = std::vector<Point>(kPoints + 1)};
  for (std::int64_t repeat = 0; repeat < e.repeat; ++repeat) {
    Vector x(problem->dimension(), 1);  // the usual start: -1.2, 1, -1.2, 1, …
    for (std::size_t i = 0; i < x.size(); i += 2) x[i] = -1.2;
    const auto oracle =
        shared_data(*problem, {.batch = e.batch,
                               .noise = Vector(x.size(), *e.noise),
                               .seed = e.seed + static_cast<std::uint64_t>(repeat)});
    Step step = vote_descent(oracle, nodes, gamma);
    if (downhill) step = only_downhill(*problem, step);
    std::int64_t k = 0;
    for (std::int64_t i = 0; i <= kPoints; ++i) {
      Point& point = path.points[static_cast<std::size_t>(i)];
      point.step = e.steps * i / kPoints;
      for (; k < point.step; ++k) step(static_cast<std::uint64_t>(k), x);
      measure(e, *problem, oracle, nodes, x, point);
    }
  }
  return path;
}

void print(const Path& path) {
  run::print("\n{}\n{:>8} {:>12} {:>12} {:>11} {:>9} {:>22}\n", path.name, "step", "f", "rho-norm",
             "P(correct)", "P(wrong)", "min P(c)-P(w)");
  for (const auto& p : path.points) {
    run::print("{:>8} {:>12.5g} {:>12.5g} {:>11.3f} {:>9.3f} {:>22.3f}\n", p.step, p.f, p.rho_norm,
               p.correct, p.wrong, p.least);
  }
}

std::string picture(const Experiment& e, const std::vector<Path>& paths) {
  run::LineChart chart{
      .title =
          fmt::format("Rosenbrock, d = {}: batch {}, noise {:g}", e.dimension, e.batch, *e.noise),
      .x = {.label = "steps", .text = [](double steps) { return fmt::format("{:.0f}", steps); }},
      .y = {.label = "f",
            .logarithmic = true,
            .text = [](double f) { return fmt::format("{:g}", f); }},
      .curves = {}};
  for (const auto& path : paths) {
    run::Curve curve{.name = path.name, .points = {}};
    for (const auto& p : path.points) {
      curve.points.emplace_back(p.step, std::max(p.f, std::numeric_limits<double>::min()));
    }
    chart.curves.push_back(std::move(curve));
  }
  return to_svg(chart);
}

nlohmann::json to_json(const Path& path) {
  auto points = nlohmann::json::array();
  for (const auto& p : path.points) {
    points.push_back({{"step", p.step},
                      {"f", p.f},
                      {"rho_norm", p.rho_norm},
                      {"p_correct", p.correct},
                      {"p_wrong", p.wrong},
                      {"least_margin", p.least}});
  }
  return {{"method", path.name}, {"points", points}};
}

void check_range(const char* flag, std::int64_t value, std::int64_t low, std::int64_t high) {
  check<UsageError>(value >= low && value <= high,
                    "{}: expected a whole number from {} to {}; got {}", flag, low, high, value);
}

void rosenbrock(int argc, char** argv) {
  Experiment e;
  std::optional<std::string> plot;
  bool json = false;
  run::CommandLine command_line(
      "rosenbrock",
      "Minimises Rosenbrock's function by noisy signs; measures how many are "
      "correct.",
      "rosenbrock --batch 4 --workers 5 --noise 1 --plot rosenbrock.svg");
  command_line
      .flag("--dimension", e.dimension, "dimension d of the function, which has d - 1 terms")
      .flag("--batch", e.batch, "terms sampled per gradient; 0: all of them")
      .flag("--workers", e.workers, "number of workers that vote")
      .flag("--lr", e.lr, "step size of each coordinate [0.01]")
      .flag("--decreasing", e.decreasing, "divide lr by the square root of the step number")
      .flag("--noise", e.noise, "standard deviation of the noise per sample [0]")
      .flag("--steps", e.steps, "steps of each run")
      .flag("--repeat", e.repeat, "runs to average, each with its own random numbers")
      .flag("--samples", e.samples, "gradients sampled at each measured point")
      .flag("--seed", e.seed, "seed of all random numbers")
      .flag("--plot", plot, "SVG file to write: f over the steps")
      .flag("--json", json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  e.lr = e.lr.value_or(0.01);
  e.noise = e.noise.value_or(0);
  check_range("--dimension", e.dimension, 2, 10'000);
  check_range("--batch", e.batch, 0, 1'000'000);
  check_range("--workers", e.workers, 1, 1024);
  check_range("--steps", e.steps, kPoints, 100'000'000);
  check_range("--repeat", e.repeat, 1, 10'000);
  check_range("--samples", e.samples, 1, 1'000'000);
  check<UsageError>(*e.lr > 0 && *e.lr < 1e6,
                    "--lr: expected a number above 0 and below 1e6; got {}", *e.lr);
  check<UsageError>(*e.noise >= 0 && *e.noise < 1e6,
                    "--noise: expected a number from 0, below 1e6; got {}", *e.noise);

  const auto voters = static_cast<std::uint32_t>(e.workers);
  const std::vector<Path> paths = {descend(e, "signSGD", 1, false),
                                   descend(e, "signSGD, only downhill", 1, true),
                                   descend(e, fmt::format("vote of {}", voters), voters, false)};
  run::print("Rosenbrock, d = {}, batch {}, noise {:g}, lr {:g}{}, averages of {} runs\n",
             e.dimension, e.batch, *e.noise, *e.lr, e.decreasing ? " / sqrt(step)" : "", e.repeat);
  auto methods = nlohmann::json::array();
  for (const auto& path : paths) {
    print(path);
    methods.push_back(to_json(path));
  }
  if (plot) write_file(*plot, picture(e, paths));
  if (json) {
    const nlohmann::json config = {{"dimension", e.dimension},   {"batch", e.batch},
                                   {"workers", e.workers},       {"lr", *e.lr},
                                   {"decreasing", e.decreasing}, {"noise", *e.noise},
                                   {"steps", e.steps},           {"repeat", e.repeat},
                                   {"samples", e.samples},       {"seed", e.seed}};
    run::print("{}\n", json_text(nlohmann::json({{"methods", methods}, {"config", config}})));
  }
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_program("rosenbrock", [&] { rosenbrock(argc, argv); });
}
