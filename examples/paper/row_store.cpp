#include "examples/paper/row_store.hpp"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <utility>

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

// The row in the file, if it exists and has the configuration of the experiment.
std::optional<Row> read_row(const std::filesystem::path& file, const Experiment& experiment) {
  if (!std::filesystem::exists(file)) return std::nullopt;
  const auto bytes = read_file(file);
  const auto row = nlohmann::json::parse(bytes, nullptr, false);
  const auto is_whole = [&row] {
    return row.is_object() && row.contains("configuration") && row.contains("result") &&
           row.contains("cpu") && row["cpu"].is_string() && row.contains("seconds") &&
           row["seconds"].is_number();
  };
  check(is_whole(),
        "{}: expected a JSON object with 'configuration', 'result', the text 'cpu' and the number "
        "'seconds'; remove the file, and the experiment is measured again",
        file.string());
  if (row["configuration"] != experiment.configuration) return std::nullopt;
  return Row{.result = row["result"], .cpu = row["cpu"], .seconds = row["seconds"]};
}

void write_row(const std::filesystem::path& file, const Experiment& experiment, const Row& row) {
  const nlohmann::json stored = {{"name", experiment.name},
                                 {"configuration", experiment.configuration},
                                 {"cpu", row.cpu},
                                 {"seconds", row.seconds},
                                 {"result", row.result}};
  write_file(file, json_text(stored, 1) + "\n");
}

std::filesystem::path begun_of(const std::filesystem::path& file) {
  return file.string() + ".begun";
}

}  // namespace

void create_writable(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  check(!error, "folder '{}': cannot be created: {}", folder.string(), error.message());
  const bool writable = access(folder.c_str(), W_OK | X_OK) == 0;
  const int reason = errno;  // before the arguments below, whose order is not defined
  check(writable, "folder '{}': cannot be written to: {}", folder.string(),
        std::generic_category().message(reason));
}

std::filesystem::path RowStore::file_of(const std::string& experiment) const {
  return folder_ / (experiment + ".json");
}

std::optional<Row> RowStore::find(const Experiment& experiment) const {
  return read_row(file_of(experiment.name), experiment);
}

void RowStore::forget_begun(const Experiment& experiment) const {
  std::filesystem::remove(begun_of(file_of(experiment.name)));
}

Row RowStore::measure(const Experiment& experiment, const Rows& rows) const {
  const auto file = file_of(experiment.name), begun_file = begun_of(file);
  create_writable(file.parent_path());
  const auto cpu = cpu_text();
  auto begun = read_row(begun_file, experiment).value_or(Row{});
  if (begun.cpu != cpu) begun = {};
  const auto start = std::chrono::steady_clock::now();
  const auto row_of = [&](nlohmann::json result) {
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    return Row{.result = std::move(result),
               .cpu = cpu,
               .seconds = std::round(10 * (begun.seconds + seconds.count())) / 10};
  };
  auto row = row_of(measured(experiment, rows, begun.result, [&](const auto& so_far) {
    write_row(begun_file, experiment, row_of(so_far));
  }));
  write_row(file, experiment, row);
  std::filesystem::remove(begun_file);
  return row;
}

}  // namespace terse::paper
