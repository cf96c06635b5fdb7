// The finished runs of a sweep, so that an interrupted sweep continues: a file with one JSON object
// in each line. The first line holds the settings that all runs have in common.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "tersegrad/core/files.hpp"

namespace terse::run {

class RunLog {
 public:
  // Reads the runs of the file; Error if they are of a sweep with other common settings.
  RunLog(const std::filesystem::path& file, const nlohmann::json& common);

  // The run that has all these values, or nullptr. Valid until the next run is added.
  const nlohmann::json* find(const nlohmann::json& values) const;
  void add(nlohmann::json run);     // written at once
  void finish() { out_.finish(); }  // the sweep is over; see LineFile

 private:
  std::vector<nlohmann::json> runs_;
  LineFile out_;
};

}  // namespace terse::run
