// A summary of a run folder: configuration, log and checkpoints.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace terse::run {

struct LogSummary {
  std::size_t bytes = 0;
  std::int64_t reports = 0, evaluations = 0, others = 0;  // lines
  std::int64_t unreadable = 0;                            // lines that are not JSON objects
  nlohmann::json last_report = {}, last_evaluation = {};  // null: there is none
  nlohmann::json interrupted = {};                        // the text of the last line, if it is one
  std::vector<nlohmann::json> dropped = {};               // workers that left
};

struct CheckpointSummary {
  std::string file;  // its name in the folder
  std::uintmax_t bytes = 0;
  std::optional<std::int64_t> step = {};  // none: the checkpoint is damaged
  std::string damage = {};                // the reason
};

struct RunSummary {
  std::filesystem::path folder;
  nlohmann::json config;
  std::optional<LogSummary> log;
  std::vector<CheckpointSummary> checkpoints;

  std::int64_t steps() const;  // the last step of which log or checkpoints tell
};

// Throws Error if config.json or log.jsonl cannot be read. A damaged checkpoint is no error.
RunSummary summarize_run(const std::filesystem::path& folder);

std::string to_text(const RunSummary& summary);
nlohmann::json to_json(const RunSummary& summary);

}  // namespace terse::run
