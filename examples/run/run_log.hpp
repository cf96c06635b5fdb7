// The finished runs of a sweep, so that one that was stopped goes on where it was: a file with a
// JSON object a line. The first line says what all of the runs have in common.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "tersegrad/inspect/files.hpp"

namespace terse::run {

class RunLog {
 public:
  // Goes on with the file's runs; an Error if they have something else in common.
  RunLog(const std::filesystem::path& file, const nlohmann::json& common);

  // The run that has these values, whatever others; none: null. Valid until the next is added.
  const nlohmann::json* find(const nlohmann::json& values) const;
  void add(nlohmann::json run);     // written at once: the next may be interrupted
  void finish() { out_.finish(); }  // the sweep is over; see LineFile

 private:
  std::vector<nlohmann::json> runs_;
  LineFile out_;
};

}  // namespace terse::run
