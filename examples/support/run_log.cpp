#include "examples/support/run_log.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "core/error.hpp"

namespace terse::run {

RunLog::RunLog(const std::filesystem::path& file, const nlohmann::json& common) {
  std::ifstream in(file);
  std::string line;
  if (std::getline(in, line)) {
    const auto other = nlohmann::json::parse(line, nullptr, false);
    check(other == common, "{}: it holds runs of another sweep, {}; give another --out",
          file.string(), line);
    while (std::getline(in, line)) {
      auto run = nlohmann::json::parse(line, nullptr, false);
      if (!run.is_discarded()) runs_.push_back(std::move(run));  // the last may be cut short
    }
  }
  out_.open(file);
  out_ << common.dump() << '\n';
  for (const auto& run : runs_) out_ << run.dump() << '\n';
  out_.flush();
  check(out_.good(), "{}: it cannot be written to", file.string());
}

RunLog::~RunLog() = default;

const nlohmann::json* RunLog::find(const nlohmann::json& values) const {
  const auto found = std::find_if(runs_.begin(), runs_.end(), [&](const nlohmann::json& run) {
    return std::all_of(values.items().begin(), values.items().end(), [&](const auto& item) {
      return run.contains(item.key()) && run[item.key()] == item.value();
    });
  });
  return found == runs_.end() ? nullptr : &*found;
}

void RunLog::add(nlohmann::json run) {
  out_ << run.dump() << std::endl;
  runs_.push_back(std::move(run));
}

}  // namespace terse::run
