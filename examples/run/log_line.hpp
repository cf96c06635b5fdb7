// The lines of a run's log.jsonl.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "examples/run/training.hpp"

namespace terse::run {

// The line of a report. What differs between two equal runs is in its object "time".
nlohmann::json to_json(const StepReport& report);

// The same callbacks, each of which first passes its line to `log`.
Listener with_log(Listener listener, std::function<void(const nlohmann::json& line)> log);

}  // namespace terse::run
