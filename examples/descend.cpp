// Convergence of several methods on functions that differ from node to node.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "examples/run/command_line.hpp"
#include "examples/run/output.hpp"
#include "examples/run/program.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/spec.hpp"
#include "tersegrad/inspect/json.hpp"
#include "tersegrad/optim/problems/methods.hpp"

namespace {

using namespace terse;
using namespace terse::problems;

struct Setting {
  std::unique_ptr<Problem> problem;
  Vector start, noise;
};

Setting make_setting(const std::string& name) {
  if (name == "counterexample") return {make_counter_example(0.1), {1, 1}, {}};
  if (name == "median") return {make_quadratic({1}, {{0}, {0}, {3}}), {2}, {0.5}};
  check<UsageError>(name == "quadratics",
                    "--problem: expected counterexample, quadratics or median; got '{}'", name);
  return {make_disagreeing_quadratics(10, 3, 1), Vector(10), Vector(10, 0.5)};
}

// The rates of each method for K steps: those of its theorem, or 1 over the root of K.
struct Method {
  std::string_view name;
  Step (*make)(const Setting& setting, double steps, std::uint64_t seed);
};

Oracle one_component(const Setting& s, std::uint64_t seed) {
  return shared_data(*s.problem, {.noise = s.noise, .seed = seed});
}

Oracle own_component(const Setting& s, std::uint64_t seed) {
  return partitioned_data(*s.problem, {.noise = s.noise, .seed = seed});
}

std::uint32_t nodes_of(const Setting& s) {
  return static_cast<std::uint32_t>(s.problem->components());
}

constexpr Method kMethods[] = {
    // the gradient of a node drawn at random
    {"sgd",
     [](const Setting& s, double steps, std::uint64_t seed) {
       return gradient_descent(one_component(s, seed), constant(1 / std::sqrt(steps)));
     }},
    // its signs
    {"sign",
     [](const Setting& s, double steps, std::uint64_t seed) {
       return sign_descent(one_component(s, seed), constant(1 / std::sqrt(steps)));
     }},
    // the majority of all nodes' signs
    {"vote",
     [](const Setting& s, double steps, std::uint64_t seed) {
       return vote_descent(own_component(s, seed), nodes_of(s), constant(1 / std::sqrt(steps)));
     }},
    // signs and mean magnitude of a node drawn at random, with error feedback
    {"sign+ef",
     [](const Setting& s, double steps, std::uint64_t seed) {
       return ef_sign_descent(one_component(s, seed), constant(1 / std::sqrt(steps)));
     }},
    // stochastic signs of every node's momentum
    {"ssdm",
     [](const Setting& s, double steps, std::uint64_t seed) {
       return ssdm(own_component(s, seed),
                   {.nodes = nodes_of(s), .beta = 1 - 1 / std::sqrt(steps), .seed = seed},
                   constant(std::pow(steps, -0.75)));
     }},
    // the same times each momentum's norm
    {"ssdm:scaled",
     [](const Setting& s, double steps, std::uint64_t seed) {
       return ssdm(own_component(s, seed), {.nodes = nodes_of(s), .norms = true, .seed = seed},
                   constant(1 / std::sqrt(steps)));
     }},
};

struct Result {
  double value = 0, gradient = 0;  // f and |grad f|, means over the last quarter of the steps
};

Result descend(const Method& method, const Setting& setting, std::int64_t steps,
               std::uint64_t seed) {
  const auto step = method.make(setting, static_cast<double>(steps), seed);
  const auto first = steps - steps / 4;
  const double share = 1 / static_cast<double>(steps - first);
  Vector x = setting.start, g(x.size());
  Result result;
  for (std::int64_t k = 0; k < steps; ++k) {
    step(static_cast<std::uint64_t>(k), x);
    if (k < first) continue;
    setting.problem->gradient(x, g);
    double squares = 0;
    for (const double value : g) squares += value * value;
    result.gradient += share * std::sqrt(squares);
    result.value += share * setting.problem->value(x);
  }
  return result;
}

// The slowest theorem has the gradient fall with the fourth root of the steps: to 0.56 after ten
// times as many.
constexpr double kStalls = 0.8;

std::string_view verdict(const Result& fewer, const Result& more) {
  if (!std::isfinite(more.gradient) || more.gradient > 10 * fewer.gradient) return "diverges";
  return more.gradient > kStalls * fewer.gradient ? "stalls" : "converges";
}

const Method& find(const std::string& name) {
  const auto* found = std::ranges::find(kMethods, name, &Method::name);
  if (found != std::end(kMethods)) return *found;
  std::vector<std::string> known;
  for (const auto& method : kMethods) known.emplace_back(method.name);
  throw UsageError(unknown_name("--method", name, std::move(known)));
}

void descend_all(int argc, char** argv) {
  std::string problem = "counterexample";
  std::vector<std::string> names;
  std::int64_t steps = 100'000;
  std::uint64_t seed = 1;
  bool json = false;
  run::CommandLine command_line(
      "descend", "Shows which methods converge if the functions of the nodes differ.",
      "descend --problem quadratics --method vote --method ssdm --method ssdm:scaled");
  command_line.flag("--problem", problem, "counterexample, quadratics or median")
      .list("--method", names, "sgd, sign, vote, sign+ef, ssdm, ssdm:scaled [all]")
      .flag("--steps", steps, "steps of the long run; the short run has a tenth")
      .flag("--seed", seed, "seed of all random numbers")
      .flag("--json", json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  check<UsageError>(steps >= 100 && steps <= 100'000'000,
                    "--steps: expected a whole number from 100 to 100000000; got {}", steps);
  const auto setting = make_setting(problem);
  if (names.empty()) {
    for (const auto& method : kMethods) names.emplace_back(method.name);
  }
  for (const auto& name : names) find(name);

  run::print("{}: {} nodes, d = {}\n\n{:<12}{:>24}{:>22}\n{:<12}{:>12}{:>12}{:>22}\n", problem,
             setting.problem->components(), setting.problem->dimension(), "",
             "|grad f| after steps", "f after", "method", steps / 10, steps, steps);
  auto list = nlohmann::json::array();
  for (const auto& name : names) {
    const auto& method = find(name);
    const auto fewer = descend(method, setting, steps / 10, seed);
    const auto more = descend(method, setting, steps, seed);
    run::print("{:<12}{:>12.3g}{:>12.3g}{:>22.3g}   {}\n", name, fewer.gradient, more.gradient,
               more.value, verdict(fewer, more));
    list.push_back({{"method", name},
                    {"gradient_after_tenth", fewer.gradient},
                    {"gradient", more.gradient},
                    {"f", more.value},
                    {"verdict", verdict(fewer, more)}});
  }
  run::print(
      "\nValues are averaged over the last quarter of the steps. A method stalls if ten\n"
      "times as many steps reduce |grad f| to no less than {:g} of its value. The step\n"
      "size for K steps is K^(-1/2); for ssdm K^(-3/4), with beta = 1 - K^(-1/2).\n",
      kStalls);
  if (json) {
    run::print(
        "{}\n",
        json_text(nlohmann::json({{"problem", problem}, {"steps", steps}, {"methods", list}})));
  }
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_program("descend", [&] { descend_all(argc, argv); });
}
