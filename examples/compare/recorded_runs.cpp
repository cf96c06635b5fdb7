#include "examples/compare/recorded_runs.hpp"

#include <fmt/format.h>

#include <cctype>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <system_error>

#include "examples/run/log_line.hpp"
#include "examples/run/progress.hpp"
#include "tersegrad/inspect/run_folder.hpp"

namespace terse::run {
namespace {

namespace fs = std::filesystem;

std::string folder_name(std::string_view method) {
  constexpr std::size_t kLongest = 100;
  std::string name;
  for (const char c : method.substr(0, kLongest)) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                       std::string_view("+=.,_-").find(c) != std::string_view::npos;
    name += plain ? c : '-';
  }
  return name;
}

// Where a run is recorded whose folder holds another run, until it has ended.
fs::path beside(const fs::path& folder) {
  return folder.string() + ".new";
}

void remove_run(const fs::path& folder) {
  for (const char* file : {kConfigFile, kLogFile}) fs::remove(folder / file);
  std::error_code not_empty;
  fs::remove(folder, not_empty);
}

// Replaces the run that was there, file by file, each as a whole.
void publish(const fs::path& recorded, const fs::path& folder) {
  for (const char* file : {kConfigFile, kLogFile}) {
    if (fs::exists(recorded / file)) fs::rename(recorded / file, folder / file);
  }
  remove_run(recorded);
}

void train_in(ComparedRun& run, const Dataset& data, const fs::path& folder, Series& series) {
  Progress progress(run.config.compressor, stderr);
  run.failure = series.run([&] {
    RunFolder record(folder, to_json(run.config));
    const auto log = [&](const nlohmann::json& line) { record.log(line); };
    try {
      run.result = train(run.config, data, with_log(progress.listener(), log));
      check_finite(run.result);
    } catch (const std::exception& error) {
      if (record.log_bytes() > 0) log({{"interrupted", error.what()}});
      throw;
    }
    record.finish();
  });
  progress.finish();
}

}  // namespace

void name_folders(std::vector<ComparedRun>& runs) {
  std::set<std::string> taken;
  for (auto& run : runs) {
    const auto name = folder_name(run.config.compressor);
    run.folder = name;
    for (int i = 2; !taken.insert(run.folder).second; ++i)
      run.folder = fmt::format("{}-{}", name, i);
  }
}

bool holds_comparison(const fs::path& folder, const std::vector<ComparedRun>& runs) {
  bool found = fs::exists(folder / "compare.json");
  for (const auto& run : runs) found = found || fs::exists(folder / run.folder / kConfigFile);
  return found;
}

void train_all(std::vector<ComparedRun>& runs, const Dataset& data, const fs::path& folder,
               Series& series) {
  for (auto run = runs.begin(); run != runs.end(); ++run) {
    const auto place = folder / run->folder;
    const bool replaces = fs::exists(place / kConfigFile);
    const auto recorded = replaces ? beside(place) : place;
    if (replaces) remove_run(recorded);  // left by a crash
    train_in(*run, data, recorded, series);
    if (!fs::exists(recorded / kConfigFile)) {
      run->folder.clear();  // it failed at once
    } else if (replaces) {
      publish(recorded, place);
    }
    if (!series.interrupted()) continue;
    runs.erase(run, runs.end());
    return;
  }
}

}  // namespace terse::run
