// Learning-rate schedules: a factor that multiplies the base rate, a pure function of the step.
//
//   constant                1
//   step:every=E,gamma=G    G^floor(epochs / E)               E in epochs, default 1; G default 0.1
//   linear:to=T             1 + (T - 1) p                     T default 0
//   cosine:to=T             T + (1 - T) (1 + cos(π p)) / 2    T default 0
//
// epochs = step / steps_per_epoch, p = step / total_steps. p is below 1 at the last step, so that
// step still changes the parameters when T = 0.
//
// Every schedule takes warmup=U and from=F (default 0). During the first U epochs its factor is
// multiplied by F + (1 - F) · w, where w = (step + 1) / (U · steps_per_epoch) rises linearly to 1.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace terse {

// The position in a training run. Steps count from 0.
struct Progress {
  std::int64_t step = 0, total_steps = 1, steps_per_epoch = 1;
};

using Schedule = std::function<double(const Progress&)>;

// Parses a spec. Throws UsageError for an unknown schedule, key or value.
Schedule make_schedule(std::string_view spec);

}  // namespace terse
