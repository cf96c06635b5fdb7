// The run folders that a page is about.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace terse::run {

// The given folders; a folder whose subfolders are runs, as compare writes it, stands for them, in
// the order of its compare.json, else of their names. Throws UsageError for a folder that is neither
// and for a run that is given twice.
std::vector<std::filesystem::path> run_folders(const std::vector<std::filesystem::path>& given);

// A sentence for each run that a comparison among these folders lists, but that has no folder,
// because it failed early.
std::vector<std::string> runs_without_folder(const std::vector<std::filesystem::path>& given);

}  // namespace terse::run
