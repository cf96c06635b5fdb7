// A row of step_time's table, and the same as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "examples/run/config.hpp"
#include "examples/run/step_time.hpp"

namespace terse::run {

std::string row_head();
std::string row_text(const RunConfig& config, const StepTime& time);
nlohmann::json row_json(const RunConfig& config, const StepTime& time);

}  // namespace terse::run
