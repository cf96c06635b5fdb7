#include "examples/paper/row_store.hpp"

#include <chrono>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/core/simd/isa.hpp"
#include "tersegrad/inspect/json.hpp"

namespace terse::paper {
namespace {

// What the system calls this CPU, and the level of instructions that the program uses on it.
std::string cpu_text() {
  std::ifstream file("/proc/cpuinfo");
  std::string line, name = "unknown CPU";
  while (std::getline(file, line)) {
    if (line.starts_with("model name") && line.find(": ") != std::string::npos) {
      name = line.substr(line.find(": ") + 2);
      break;
    }
  }
  return name + ", " + std::string(isa_name(isa()));
}

}  // namespace

std::filesystem::path RowStore::file_of(const Experiment& experiment) const {
  return folder_ / (experiment.name + ".json");
}

std::optional<Row> RowStore::find(const Experiment& experiment) const {
  const auto file = file_of(experiment);
  if (!std::filesystem::exists(file)) return std::nullopt;
  const auto bytes = read_file(file);
  const auto row = nlohmann::json::parse(bytes, nullptr, false);
  const auto has = [&row](const char* key) { return row.is_object() && row.contains(key); };
  check(
      has("configuration") && has("result") && has("cpu") && has("seconds"),
      "{}: expected a JSON object with 'configuration', 'cpu', 'seconds' and 'result'; remove the "
      "file, and the experiment is measured again",
      file.string());
  if (row["configuration"] != experiment.configuration) return std::nullopt;
  return Row{.result = row["result"], .cpu = row["cpu"], .seconds = row["seconds"]};
}

Row RowStore::measure(const Experiment& experiment, const Rows& rows) const {
  const auto start = std::chrono::steady_clock::now();
  Row row{.result = experiment.measure(rows), .cpu = cpu_text()};
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  row.seconds = std::round(10 * seconds.count()) / 10;
  const auto file = file_of(experiment);
  std::filesystem::create_directories(file.parent_path());
  const nlohmann::json stored = {{"name", experiment.name},
                                 {"configuration", experiment.configuration},
                                 {"cpu", row.cpu},
                                 {"seconds", row.seconds},
                                 {"result", row.result}};
  write_file(file, json_text(stored, 1) + "\n");
  return row;
}

}  // namespace terse::paper
