// The runs of a comparison, each recorded in a folder of its own as `train --out` would.
#pragma once

#include <filesystem>
#include <vector>

#include "examples/compare/comparison.hpp"
#include "examples/run/series.hpp"
#include "examples/run/task.hpp"

namespace terse::run {

// Sets the name of each run's folder: its method, without characters that are special in file names
// or links, and different for every run.
void name_folders(std::vector<ComparedRun>& runs);
// Whether the folder holds a comparison, or a run in one of these folders.
bool holds_comparison(const std::filesystem::path& folder, const std::vector<ComparedRun>& runs);
// Trains one after the other and records each in its folder below `folder`. A run that was there is
// replaced when the new one has ended, and kept if the new one fails before its first line of the
// log; that one then has no folder. An interruption removes the rows that are not finished.
void train_all(std::vector<ComparedRun>& runs, const Dataset& data,
               const std::filesystem::path& folder, Series& series);

}  // namespace terse::run
