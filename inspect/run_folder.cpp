#include "tersegrad/inspect/run_folder.hpp"

#include <nlohmann/json.hpp>
#include <system_error>

#include "tersegrad/core/error.hpp"
#include "tersegrad/inspect/json.hpp"

namespace terse {

RunFolder::RunFolder(const std::filesystem::path& folder, const nlohmann::json& config)
    : folder_(folder) {
  check(!std::filesystem::exists(folder_ / "config.json"),
        "run folder '{}': holds a run already; name another one or remove it", folder.string());
  write_file(folder_ / "config.json", json_text(config, 2) + "\n");
  log_.emplace(folder_ / "log.jsonl", LineFile::Existing::replace);
}

RunFolder::~RunFolder() {
  if (lines_ > 0) return;
  std::error_code ignored;
  std::filesystem::remove(folder_ / "log.jsonl", ignored);
  std::filesystem::remove(folder_ / "config.json", ignored);
}

void RunFolder::log(const nlohmann::json& line) {
  log_->add(json_text(line));
  ++lines_;
}

}  // namespace terse
