// A run's folder: config.json, and log.jsonl with one line a report.
//
// Timings of a line stand in its "time" object; everything else repeats bit for bit with the seed.
// A folder that holds a run already is refused: nothing is overwritten.
#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace terse {

class RunFolder {
 public:
  // Makes the folder and writes config.json, complete or not at all. Error if it cannot be written
  // to, or holds a run.
  RunFolder(const std::filesystem::path& folder, const nlohmann::json& config);

  // Appends a line, and hands it to the system at once.
  void log(const nlohmann::json& line);

  const std::filesystem::path& path() const { return folder_; }

 private:
  std::filesystem::path folder_;
  std::ofstream log_;
};

// Makes a folder if it is not there. Error if files cannot be made in it.
void prepare_folder(const std::filesystem::path& folder);

// Writes a file under a temporary name, syncs it and renames it: a half-written file never stands
// under its name, and never replaces a good one.
void write_file(const std::filesystem::path& file, const std::string& text);

}  // namespace terse
