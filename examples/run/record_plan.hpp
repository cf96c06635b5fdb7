// How many steps --record stores, and how many bytes, known before the training starts.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "examples/run/config.hpp"
#include "examples/run/record_request.hpp"
#include "tersegrad/core/parameters.hpp"

namespace terse::run {

struct RecordPlan {
  std::int64_t steps = 0, workers = 0;
  double bytes = 0;   // of a worker in a step: its files without records.json
  bool exact = true;  // otherwise the packets' size varies, and `bytes` is estimated

  double total() const { return static_cast<double>(steps) * static_cast<double>(workers) * bytes; }
};

// Whether anything is exchanged in this step: local steps exchange nothing.
bool exchanges(const RunConfig& config, std::int64_t step);
// Whether that are differences of models.
bool exchanges_differences(const RunConfig& config, std::int64_t step);

// The plan for the steps from `taken` on. The packets are those of a random gradient. UsageError if
// the run has no such step among its `total` (0: not known), if it exchanges nothing in all of
// them, or if the bytes are above the limit.
RecordPlan plan_records(const RunConfig& config, const RecordRequest& request,
                        const ParameterBuffer& parameters, std::int64_t taken, std::int64_t total);

// "11 steps x 4 workers x 246.8 KB = 10.86 MB"
std::string to_text(const RecordPlan& plan);

}  // namespace terse::run
