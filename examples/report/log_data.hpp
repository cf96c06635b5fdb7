// What a page shows of a run's log.jsonl, read in one pass and in bounded memory.
#pragma once

#include <array>
#include <cstdint>
#include <istream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "examples/report/decimation.hpp"
#include "examples/report/limits.hpp"
#include "examples/run/config.hpp"
#include "tersegrad/comm/transport/accounting.hpp"

namespace terse::run {

// Means per step over all reports but the first, whose steps allocate memory.
struct MeanTimes {
  PartTimes parts;
  double hidden = 0;
};

struct LogData {
  // The columns of a page's "steps" and "evaluations", by the cells of their points; NaN: unknown.
  // Epochs of `steps` follow from the evaluations.
  enum StepColumn : std::size_t { kStep, kLoss, kLr, kBytes, kWall, kVirtual, kStepColumns };
  enum TestColumn : std::size_t {
    kTestStep,
    kTestEpoch,
    kScore,
    kTestLoss,
    kTrainLoss,
    kTestBytes,
    kTestWall,
    kTestVirtual,
    kTestColumns
  };
  std::vector<CurvePoint> steps, evaluations;
  double epochs_per_step = 0;  // 0: unknown

  std::optional<bool> is_perplexity;  // none: the log has no evaluation
  Split split = Split::test;          // of the evaluations
  double last_step = 0, message_bytes = 0;
  std::optional<MeanTimes> times, virtual_times;
  std::vector<nlohmann::json> health, density;
  std::optional<nlohmann::json> staleness;  // counts
  nlohmann::json pushes = nlohmann::json::array();
  std::vector<std::string> notes;
};

// Reads a whole log. `name` stands for it in errors, `run` in notes. An incomplete last line is left
// out, with a note. Throws Error for any other line that is not a JSON object. Unknown keys and
// lines are ignored.
LogData read_log_data(std::istream& in, const std::string& name, const std::string& run,
                      const PageLimits& limits);

}  // namespace terse::run
