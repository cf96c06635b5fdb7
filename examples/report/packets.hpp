// The recorded packets of a run, header and fields decoded: the part "packets" of a page's data.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "examples/report/limits.hpp"
#include "tersegrad/optim/testing/shapes.hpp"

namespace terse::run {

// The packets of the files records/step-S/worker-W/packet*.bin of a run folder, by step, worker and
// phase. `shapes` are those of the model, or empty if they are unknown: fields are then left out.
// Files that are no packets are skipped, with a note.
nlohmann::json recorded_packets(const std::filesystem::path& folder, const std::string& compressor,
                                const std::vector<MatrixShape>& shapes, const PageLimits& limits,
                                std::vector<std::string>& notes);

}  // namespace terse::run
