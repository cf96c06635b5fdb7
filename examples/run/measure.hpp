// What a run measures besides its result: the value of --measure.
//
//   none
//   density            gradient noise at constant parameters, at the start of each epoch
//   health:every=N     what the compressor keeps of the gradients, every N steps
//   health:count=N     the same N times in the run, the last time in its last step
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace terse::run {

struct Measure {
  bool density = false;
  std::int64_t every = 0, count = 0;  // health, one of the two
  bool health() const { return every > 0 || count > 0; }
  bool operator==(const Measure&) const = default;
};
// Throws UsageError for what is not one of the lines above.
Measure parse_measure(std::string_view text);
std::string to_string(const Measure& measure);

// How often the conservation laws are checked: the value of --check-laws, none or every=N steps.
struct LawCheck {
  std::int64_t every = 0;  // 0: never
  bool operator==(const LawCheck&) const = default;
};
LawCheck parse_law_check(std::string_view text);  // throws UsageError
std::string to_string(const LawCheck& check);

// The steps of a run in which something is due: every `every` steps, or `count` times.
class ProbePlan {
 public:
  // With local SGD only one step in `local.every` exchanges anything, from step `local.after` on.
  struct LocalSteps {
    std::int64_t every = 0, after = 0;
  };
  ProbePlan(std::int64_t every, std::int64_t count, std::int64_t steps, LocalSteps local)
      : every_(every), count_(count), steps_(steps), local_(local) {}

  // `step` counts the steps up to the one in question, which it includes. With local SGD it is true
  // of as many steps in a row as there are from one exchange to the next.
  bool is_due(std::int64_t step) const {
    const auto window = local_.every > 0 && step > local_.after ? local_.every : 1;
    return times_due(step) != times_due(step - window);
  }

 private:
  // How many measurements are due in the first `step` steps.
  std::int64_t times_due(std::int64_t step) const {
    if (step <= 0) return 0;
    return every_ > 0 ? step / every_ : step * count_ / steps_;
  }

  std::int64_t every_, count_, steps_;
  LocalSteps local_;
};

}  // namespace terse::run
