#include "examples/run/measure.hpp"

#include <fmt/format.h>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/spec.hpp"

namespace terse::run {

Measure parse_measure(std::string_view text) {
  constexpr std::int64_t kEvery = 100, kMost = 1'000'000'000;
  const auto stage = parse_stage("measure", text);
  Options options("measure", stage);
  Measure measure;
  if (stage.name == "health") {
    measure.count = options.integer("count", 0, 1, kMost);
    measure.every = options.integer("every", measure.count > 0 ? 0 : kEvery, 1, kMost);
    check<UsageError>(measure.every == 0 || measure.count == 0,
                      "measure 'health': every and count exclude each other; give one of them");
  } else {
    check<UsageError>(stage.name == "none" || stage.name == "density", "{}",
                      unknown_name("measure", stage.name, {"none", "density", "health"}));
    measure.density = stage.name == "density";
  }
  options.finish();
  return measure;
}

std::string to_string(const Measure& measure) {
  if (measure.density) return "density";
  if (measure.every > 0) return fmt::format("health:every={}", measure.every);
  if (measure.count > 0) return fmt::format("health:count={}", measure.count);
  return "none";
}

LawCheck parse_law_check(std::string_view text) {
  constexpr std::int64_t kMost = 1'000'000'000;
  if (text == "none") return {};
  const auto stage = parse_stage("check-laws", fmt::format("laws:{}", text));
  Options options("check-laws", stage);
  check<UsageError>(options.has("every"), "check-laws '{}': expected every=N, a number of steps",
                    text);
  const LawCheck found{options.integer("every", 0, 1, kMost)};
  options.finish();
  return found;
}

std::string to_string(const LawCheck& law_check) {
  return law_check.every > 0 ? fmt::format("every={}", law_check.every) : "none";
}

}  // namespace terse::run
