#include "examples/run/run_log.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "tersegrad/core/error.hpp"
#include "tersegrad/inspect/json.hpp"

namespace terse::run {

namespace {

// The runs of a sweep with these common settings. Empty if the file does not exist.
std::vector<nlohmann::json> read_runs(const std::filesystem::path& file,
                                      const nlohmann::json& common) {
  std::vector<nlohmann::json> runs;
  std::ifstream in(file);
  std::string line;
  if (!std::getline(in, line)) return runs;
  const auto other = nlohmann::json::parse(line, nullptr, false);
  check(other == common,
        "{}: expected runs of the sweep {}; got runs of another sweep, {}; use another "
        "--out",
        file.string(), json_text(common), line);
  while (std::getline(in, line)) {
    auto run = nlohmann::json::parse(line, nullptr, false);
    if (!run.is_discarded()) runs.push_back(std::move(run));  // the last line may be incomplete
  }
  return runs;
}

// Writes the file again without an incomplete line, and then replaces the old file.
const std::filesystem::path& rewrite(const std::filesystem::path& file,
                                     const nlohmann::json& common,
                                     const std::vector<nlohmann::json>& runs) {
  std::string text = json_text(common) + '\n';
  for (const auto& run : runs) text += json_text(run) + '\n';
  write_file(file, text);
  return file;
}

}  // namespace

RunLog::RunLog(const std::filesystem::path& file, const nlohmann::json& common)
    : runs_(read_runs(file, common)),
      out_(rewrite(file, common, runs_), LineFile::Existing::keep) {}

const nlohmann::json* RunLog::find(const nlohmann::json& values) const {
  const auto found = std::find_if(runs_.begin(), runs_.end(), [&](const nlohmann::json& run) {
    return std::all_of(values.items().begin(), values.items().end(), [&](const auto& item) {
      return run.contains(item.key()) && run[item.key()] == item.value();
    });
  });
  return found == runs_.end() ? nullptr : &*found;
}

void RunLog::add(nlohmann::json run) {
  out_.add(json_text(run));
  runs_.push_back(std::move(run));
}

}  // namespace terse::run
