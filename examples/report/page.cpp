#include "examples/report/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "examples/report/command.hpp"
#include "examples/report/run_data.hpp"
#include "examples/report/run_folders.hpp"
#include "examples/run/version.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/inspect/json.hpp"

namespace terse::run {
namespace {

using Json = nlohmann::json;

std::vector<std::string> names_with(const std::vector<RunData>& runs, const char* key,
                                    std::string_view value) {
  std::vector<std::string> names;
  for (const auto& run : runs) {
    if (!run.json["metric"].is_null() && run.json[key] == value) names.push_back(run.name);
  }
  return names;
}

void note_splits(const std::vector<RunData>& runs, std::vector<std::string>& notes) {
  const auto test = names_with(runs, "split", "test"), valid = names_with(runs, "split", "valid");
  if (test.empty() || valid.empty()) return;
  notes.push_back(
      fmt::format("the scores of {} are those of the test split, the scores of {} those of the "
                  "validation split: these cannot be compared",
                  fmt::join(test, ", "), fmt::join(valid, ", ")));
}

void note_metrics(const std::vector<RunData>& runs, std::vector<std::string>& notes) {
  const auto images = names_with(runs, "metric", "accuracy");
  const auto texts = names_with(runs, "metric", "perplexity");
  if (images.empty() || texts.empty()) return;
  notes.push_back(
      fmt::format("{} {} accuracy and {} {} perplexity: these cannot be compared on one axis",
                  fmt::join(images, ", "), images.size() == 1 ? "has" : "have",
                  fmt::join(texts, ", "), texts.size() == 1 ? "has" : "have"));
}

}  // namespace

Json page_data(const std::vector<std::filesystem::path>& given, std::string command) {
  const auto folders = run_folders(given);
  const auto limits = PageLimits::of(folders.size());
  ModelShapes models;
  std::vector<RunData> runs;
  std::vector<Json> configs;
  std::vector<std::string> names, notes;
  for (const auto& folder : folders) {
    auto run = read_run_data(folder, limits, models);
    configs.push_back(run.config);
    names.push_back(run.name);
    notes.insert(notes.end(), run.notes.begin(), run.notes.end());
    runs.push_back(std::move(run));
  }
  std::ranges::copy(runs_without_folder(given), std::back_inserter(notes));
  note_metrics(runs, notes);
  note_splits(runs, notes);
  const auto labels = labels_of(configs, names);
  auto list = Json::array();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    runs[i].json["label"] = labels[i];
    list.push_back(std::move(runs[i].json));
  }
  return {{"format", 1},
          {"made_by", fmt::format("tersegrad {}", program_version())},
          {"command", std::move(command)},
          {"notes", std::move(notes)},
          {"differences", differences_of(configs)},
          {"runs", std::move(list)}};
}

std::string page_text(const Json& data) {
  constexpr std::string_view kPlaceholder = "{{data}}";
  const auto page = page_template();
  const auto at = page.find(kPlaceholder);
  internal_check(at != std::string_view::npos, "the template of the page has no {}", kPlaceholder);
  std::string text(page.substr(0, at));
  for (const char c : json_text(data)) {
    if (c == '<') {
      text += "\\u003c";
    } else {
      text += c;
    }
  }
  return text.append(page.substr(at + kPlaceholder.size()));
}

PageSummary write_report(const std::vector<std::filesystem::path>& runs,
                         const std::filesystem::path& out, std::string command) {
  const auto data = page_data(runs, std::move(command));
  const auto text = page_text(data);
  write_file(out, text);
  return {.bytes = text.size(), .runs = data["runs"].size()};
}

}  // namespace terse::run
