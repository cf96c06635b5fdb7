// What `whatif` prints and writes.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "examples/whatif/replay.hpp"

namespace terse::run {

// The replays of the same steps, at least one of each.
struct WhatIf {
  std::string run;  // the folder
  const Records& records;
  std::vector<RecordedStep> steps;
  std::vector<Replay> methods;
};

std::string to_text(const WhatIf& whatif);  // two tables of at most 80 columns
std::string to_csv(const WhatIf& whatif);   // a row for each method
nlohmann::json to_json(const WhatIf& whatif);
// The cosine over the bytes of a packet and, if there are several steps, over the steps.
std::string chart_svg(const WhatIf& whatif);

}  // namespace terse::run
