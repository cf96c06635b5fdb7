#include "examples/run/records.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"

namespace terse::run {
namespace {

constexpr const char* kGradients = "gradients";
constexpr const char* kDifferences = "model differences";

nlohmann::json json_of(const RecordedTensor& t) {
  return {{"name", t.name}, {"file", t.file}, {"id", t.id},         {"shape", t.shape},
          {"rows", t.rows}, {"cols", t.cols}, {"kernel", t.kernel}, {"first", t.first}};
}

nlohmann::json json_of(const RecordedStep& s) {
  auto packets = nlohmann::json::array(), workers = nlohmann::json::array();
  for (const auto& p : s.packets) {
    packets.push_back(
        {{"file", p.file}, {"phase", p.phase}, {"first", p.first}, {"count", p.count}});
  }
  for (const auto& w : s.workers) {
    workers.push_back({{"worker", w.worker}, {"rank", w.rank}, {"lr", w.lr}});
  }
  return {{"step", s.step},
          {"round", s.round},
          {"content", s.differences ? kDifferences : kGradients},
          {"packets", std::move(packets)},
          {"workers", std::move(workers)}};
}

RecordedTensor tensor_of(const nlohmann::json& json) {
  RecordedTensor t{.name = json.at("name"), .file = json.at("file"), .id = json.at("id")};
  json.at("shape").get_to(t.shape);
  json.at("rows").get_to(t.rows);
  json.at("cols").get_to(t.cols);
  json.at("kernel").get_to(t.kernel);
  json.at("first").get_to(t.first);
  return t;
}

RecordedStep step_of(const nlohmann::json& json) {
  RecordedStep s{.step = json.at("step"),
                 .round = json.at("round"),
                 .differences = json.at("content") == kDifferences};
  for (const auto& p : json.at("packets")) {
    s.packets.push_back({.file = p.at("file"),
                         .phase = p.at("phase"),
                         .first = p.at("first"),
                         .count = p.at("count")});
  }
  for (const auto& w : json.at("workers")) {
    s.workers.push_back({.worker = w.at("worker"), .rank = w.at("rank"), .lr = w.at("lr")});
  }
  return s;
}

Records records_of(const nlohmann::json& json) {
  Records r{.compressor = json.at("compressor"),
            .topology = json.at("topology"),
            .seed = json.at("seed"),
            .workers = json.at("workers"),
            .values = json.at("values"),
            .packets = json.at("packets")};
  for (const auto& tensor : json.at("tensors")) r.tensors.push_back(tensor_of(tensor));
  for (const auto& step : json.at("steps")) r.steps.push_back(step_of(step));
  return r;
}

// What the programs rely on.
bool consistent(const Records& r) {
  const auto plausible = [&](const RecordedTensor& t) {
    std::int64_t rest = r.values - t.first;
    for (const auto extent : t.shape) {
      if (extent < 0 || (extent > 0 && rest / extent == 0)) return false;
      rest = extent == 0 ? rest : rest / extent;
    }
    return t.first >= 0 && t.rows >= 0 && t.cols >= 0 && t.kernel >= 1;
  };
  const auto by_id = [](const RecordedTensor& a, const RecordedTensor& b) {
    return a.id >= b.id || a.first > b.first;
  };
  const auto by_step = [](const RecordedStep& a, const RecordedStep& b) {
    return a.step >= b.step;
  };
  return std::ranges::all_of(r.tensors, plausible) &&
         std::ranges::adjacent_find(r.tensors, by_id) == r.tensors.end() &&
         std::ranges::adjacent_find(r.steps, by_step) == r.steps.end() &&
         std::ranges::none_of(r.steps, [](const auto& step) { return step.workers.empty(); });
}

}  // namespace

std::filesystem::path records_file(const std::filesystem::path& run) {
  return run / "records" / "records.json";
}

std::filesystem::path recorded_folder(const std::filesystem::path& run, std::int64_t step,
                                      int worker) {
  return run / "records" / fmt::format("step-{}", step) / fmt::format("worker-{}", worker);
}

std::string packet_file(int phase, int bucket) {
  return bucket < 0 ? fmt::format("packet.phase-{}.bin", phase)
                    : fmt::format("packet.phase-{}.bucket-{}.bin", phase, bucket);
}

nlohmann::json header_json(const Records& r) {
  auto tensors = nlohmann::json::array();
  for (const auto& tensor : r.tensors) tensors.push_back(json_of(tensor));
  return {{"format", kRecordFormat}, {"compressor", r.compressor},   {"topology", r.topology},
          {"seed", r.seed},          {"workers", r.workers},         {"values", r.values},
          {"packets", r.packets},    {"tensors", std::move(tensors)}};
}

nlohmann::json to_json(const Records& r) {
  auto json = header_json(r);
  auto& steps = json["steps"] = nlohmann::json::array();
  for (const auto& step : r.steps) steps.push_back(json_of(step));
  return json;
}

Records read_records(const std::filesystem::path& run) {
  const auto file = records_file(run);
  std::error_code ignored;
  check(std::filesystem::exists(file, ignored),
        "'{}': expected a run with records, in a file records/records.json; make one by train "
        "--record steps=0..9 --out DIR",
        run.string());
  const auto bytes = read_file(file);
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  const auto json = nlohmann::json::parse(text, text + bytes.size(), nullptr, false);
  check(json.is_object() && json.contains("format") && json["format"].is_number_integer(),
        "'{}': expected a JSON object with the number of its format", file.string());
  const auto format = json["format"].get<std::int64_t>();
  check(format == kRecordFormat,
        "'{}': expected records in format {}; got format {}, which another version of this program "
        "has written",
        file.string(), kRecordFormat, format);
  try {
    auto records = records_of(json);
    check(consistent(records), "'{}': the tensors or steps contradict each other", file.string());
    return records;
  } catch (const nlohmann::json::exception& error) {
    throw Error(
        fmt::format("'{}': expected the records of a run; {}", file.string(), error.what()));
  }
}

std::vector<float> read_recorded(const std::filesystem::path& run, const RecordedStep& step,
                                 int worker, const RecordedTensor& tensor) {
  const auto file = recorded_folder(run, step.step, worker) / tensor.file;
  auto array = read_npy(file);
  check(array.shape == tensor.shape && std::ssize(array.values) == tensor.numel(),
        "'{}': expected the shape ({}), as records.json states; got ({})", file.string(),
        fmt::join(tensor.shape, ", "), fmt::join(array.shape, ", "));
  const auto bad = std::ranges::find_if(array.values, [](float x) { return !std::isfinite(x); });
  check(bad == array.values.end(),
        "'{}': expected finite values; value {} is {}; leave out step {} by --steps", file.string(),
        bad - array.values.begin(), bad == array.values.end() ? 0 : *bad, step.step);
  return std::move(array.values);
}

}  // namespace terse::run
