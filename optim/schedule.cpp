#include "tersegrad/optim/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/spec.hpp"

namespace terse {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double epochs(const Progress& p) {
  return static_cast<double>(p.step) / static_cast<double>(p.steps_per_epoch);
}
// The fraction of steps that are done: 0 at the first step and below 1 at the last, so that the
// last step still changes the parameters.
double part_done(const Progress& p) {
  return static_cast<double>(p.step) /
         static_cast<double>(std::max<std::int64_t>(1, p.total_steps));
}

Schedule make_constant(Options&) {
  return [](const Progress&) { return 1.0; };
}

Schedule make_step(Options& options) {
  const double every = options.number("every", 1, 1e-9, kInfinity);
  const double gamma = options.number("gamma", 0.1, 0, 1);
  return
      [every, gamma](const Progress& p) { return std::pow(gamma, std::floor(epochs(p) / every)); };
}

Schedule make_linear(Options& options) {
  const double to = options.number("to", 0, 0, 1);
  return [to](const Progress& p) { return 1 + (to - 1) * part_done(p); };
}

Schedule make_cosine(Options& options) {
  const double to = options.number("to", 0, 0, 1);
  return [to](const Progress& p) {
    return to + (1 - to) * (1 + std::cos(std::numbers::pi * part_done(p))) / 2;
  };
}

struct Factory {
  std::string_view name;
  Schedule (*make)(Options&);
};
constexpr Factory kSchedules[] = {{"constant", make_constant},
                                  {"step", make_step},
                                  {"linear", make_linear},
                                  {"cosine", make_cosine}};

}  // namespace

Schedule make_schedule(std::string_view spec) {
  const Stage stage = parse_stage("schedule", spec);
  std::vector<std::string> known;
  for (const auto& [name, make] : kSchedules) {
    known.emplace_back(name);
    if (name != stage.name) continue;
    Options options("schedule", stage);
    Schedule main = make(options);
    const double warmup = options.number("warmup", 0, 0, kInfinity);
    const double from = options.number("from", 0, 0, 1);
    options.finish();
    if (warmup == 0) return main;
    return [main, warmup, from](const Progress& p) {
      const double rise =
          std::min(1.0, (epochs(p) + 1.0 / static_cast<double>(p.steps_per_epoch)) / warmup);
      return main(p) * (from + (1 - from) * rise);
    };
  }
  throw UsageError(unknown_name("schedule", stage.name, known));
}

}  // namespace terse
