// The numbers of a report in log.jsonl. Nearly all lines of a long log are reports, so they are read
// without building a JSON object: ten times as fast.
#pragma once

#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "tersegrad/comm/transport/accounting.hpp"

namespace terse::run {

struct StepLine {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

  // NaN: the line has no such number.
  double step = kNone, loss = kNone, lr = kNone, bytes_sent = kNone, message_bytes = kNone;
  double seconds = kNone, hidden = kNone, virtual_seconds = kNone;
  PartTimes times, virtual_times;
  bool has_virtual_times = false;
};

// Sets `line` and returns true if the text is a report as this version writes it: only known keys,
// without spaces. Another text, which may be a report too, must be parsed.
bool scan_step_line(std::string_view text, StepLine& line);
// The same numbers of a parsed line.
StepLine step_line_of(const nlohmann::json& json);

}  // namespace terse::run
