// Learning-rate schedules: a factor on the base rate, a pure function of the step.
//
//   constant                 1
//   step:every=E,gamma=G     G to the number of whole E's that have passed (E in epochs, default 1;
//   G 0.1) linear:to=T              straight from 1 to T (default 0) at the last step cosine:to=T
//   half a cosine from 1 to T (default 0) at the last step
//
// Every one takes `warmup=U`: in the first U epochs the factor also rises straight from `from`
// (default 0) to 1, as (from + (1 - from)·progress).
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace terse {

// Where a run stands: steps begin at 0, an epoch has steps_per_epoch of them.
struct Progress {
  std::int64_t step = 0, total_steps = 1, steps_per_epoch = 1;
};

using Schedule = std::function<double(const Progress&)>;

// UsageError for an unknown schedule, key or value.
Schedule make_schedule(std::string_view spec);

}  // namespace terse
