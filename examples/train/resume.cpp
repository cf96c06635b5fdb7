#include "examples/train/resume.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "examples/run/output.hpp"
#include "examples/train/config_difference.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/inspect/json.hpp"
#include "tersegrad/inspect/run_folder.hpp"
#include "tersegrad/optim/schedule.hpp"

namespace terse::run {
namespace {

// Values that change what is computed from now on, or nothing that is computed.
constexpr std::array<std::string_view, 13> kMayDiffer = {
    "steps", "epochs",     "lr",         "schedule",         "threads",          "isa",
    "data",  "eval_every", "eval_steps", "deadline_seconds", "checkpoint_every", "float_products",
    "record"};

bool may_differ(std::string_view key) {
  return std::ranges::find(kMayDiffer, key) != kMayDiffer.end();
}

std::string flag_of(std::string key) {
  std::ranges::replace(key, '_', '-');
  return "--" + key;
}

// "--batch 16"; "no --network".
std::string flag_text(const std::string& key, const nlohmann::json& value) {
  if (value.is_null()) return "no " + flag_of(key);
  return fmt::format("{} {}", flag_of(key),
                     value.is_string() ? value.get<std::string>() : json_text(value));
}

void refuse_difference(const nlohmann::json& before, const nlohmann::json& now) {
  const auto found = difference_of(before, now, may_differ);
  check<UsageError>(!found,
                    "--resume: expected {}, as the run began; got {}; leave the flag out, "
                    "or start a new run",
                    found ? flag_text(found->key, found->first) : "",
                    found ? flag_text(found->key, found->second) : "");
}

// config.json may have been edited, or the checkpoint may be that of another run.
void check_config_of(const std::filesystem::path& folder, const nlohmann::json& config,
                     const Checkpoint& checkpoint) {
  const auto text = checkpoint.metadata().find("config");
  const auto stated = text == checkpoint.metadata().end()
                          ? nlohmann::json()
                          : nlohmann::json::parse(text->second, nullptr, false);
  check(stated.is_object(), "'{}': expected a configuration in its metadata",
        checkpoint.file().string());
  auto began = config_from_json(stated);  // with the defaults of keys that an older version lacked
  complete(began);
  const auto found = difference_of(to_json(began), config, may_differ);
  check(!found, "'{}': expected {}, as '{}' says; got {}; restore the file",
        (folder / kConfigFile).string(), found ? flag_text(found->key, found->first) : "",
        checkpoint.file().string(), found ? flag_text(found->key, found->second) : "");
}

bool depends_on_total(const std::string& spec) {
  const auto schedule = make_schedule(spec);
  constexpr std::int64_t kTotal = 1000, kPerEpoch = 100;
  for (std::int64_t step = 0; step < kTotal; ++step) {
    const auto rate = [&](std::int64_t total) {
      return schedule({.step = step, .total_steps = total, .steps_per_epoch = kPerEpoch});
    };
    if (rate(kTotal) != rate(2 * kTotal)) return true;
  }
  return false;
}

void note_deviations(const RunConfig& before, const RunConfig& now, const Checkpoint& checkpoint) {
  const bool other_total = before.steps != now.steps || before.epochs != now.epochs;
  if (other_total && depends_on_total(now.schedule)) {
    note(
        "train: the schedule {} depends on the number of steps, which has changed: the run "
        "differs from one that had this number from the start\n",
        now.schedule);
  }
  const auto& metadata = checkpoint.metadata();
  const auto isa = to_json(now)["isa"].get<std::string>();
  if (const auto was = metadata.find("isa"); was != metadata.end() && was->second != isa) {
    note(
        "train: the run began with the kernels of {}, and continues with those of {}, which round "
        "differently\n",
        was->second, isa);
  }
  if (now.is_async() && now.async.clock == AsyncClock::real_time) {
    note("train: --clock real: the run goes on, but no two such runs are equal\n");
  }
  if (now.is_async() && now.async.durations == "measured") {
    note("train: --durations measured: the run goes on, but no two such runs are equal\n");
  }
}

}  // namespace

std::optional<std::string> resumed_folder(int argc, char** argv) {
  constexpr std::string_view kFlag = "--resume", kAssigned = "--resume=";
  const std::span words(argv, static_cast<std::size_t>(argc));
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word.starts_with(kAssigned)) return std::string(word.substr(kAssigned.size()));
    if (word == kFlag && i + 1 < words.size()) return std::string(words[i + 1]);
  }
  return std::nullopt;
}

nlohmann::json read_config(const std::filesystem::path& folder) {
  std::error_code ignored;
  check<UsageError>(std::filesystem::exists(folder / kConfigFile, ignored),
                    "--resume '{}': expected the folder of a run, with a file {}", folder.string(),
                    kConfigFile);
  return read_config_file(folder);
}

RunConfig config_of(const std::filesystem::path& folder) {
  try {
    return config_from_json(read_config(folder));
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    throw Error(
        fmt::format("'{}': {}; restore the file", (folder / kConfigFile).string(), error.what()));
  }
}

Continuation continue_run(const std::filesystem::path& folder, const RunConfig& now, bool speaks) {
  const auto written = read_config(folder);
  auto before = config_of(folder);
  complete(before);
  refuse_difference(to_json(before), to_json(now));
  Continuation run{
      .folder = folder, .checkpoint = Checkpoint::of_folder(folder), .config = to_json(now)};
  check_config_of(folder, to_json(before), run.checkpoint);
  const auto taken = run.checkpoint.step();
  check<UsageError>(now.steps == 0 || now.steps >= taken,
                    "--steps: expected at least {}, which the run has taken; got {}", taken,
                    now.steps);
  if (speaks) note_deviations(before, now, run.checkpoint);
  nlohmann::json changed = nlohmann::json::object();
  for (const auto& [key, value] : run.config.items()) {
    const auto was = written.find(key);
    if (was != written.end() && *was != value) changed[key] = {*was, value};
  }
  const auto former = written.find("resumes");
  auto resumes = former != written.end() && former->is_array() ? *former : nlohmann::json::array();
  resumes.push_back({{"step", run.checkpoint.step()}, {"changed", changed}});
  run.config["resumes"] = std::move(resumes);
  return run;
}

}  // namespace terse::run
