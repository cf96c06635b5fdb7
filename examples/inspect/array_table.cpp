#include "examples/inspect/array_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "examples/run/progress.hpp"
#include "examples/run/text.hpp"

namespace terse::run {
namespace {

// The part of a name before the first slash; empty if there is none.
std::string_view group_of(std::string_view name) {
  const auto slash = name.find('/');
  return name.substr(0, slash == std::string_view::npos ? 0 : slash);
}

// The part of a name before the last slash, with the slash.
std::string_view scope_of(std::string_view name) {
  return name.substr(0, name.rfind('/') + 1);
}

std::string metadata_text(const std::map<std::string, std::string>& metadata) {
  constexpr std::size_t kLabel = 16, kWidth = 80 - kLabel, kMostLines = 3;
  std::string text = metadata.empty() ? "" : "metadata\n";
  for (const auto& [key, value] : metadata) {
    // No more of a long text is copied than is shown.
    const auto lines =
        wrapped(printable(std::string_view(value).substr(0, (kMostLines + 1) * kWidth)), kWidth);
    text += fmt::format("  {:<13} {}\n", printable(key), lines.empty() ? "" : lines.front());
    for (std::size_t i = 1; i < std::min(lines.size(), kMostLines); ++i) {
      text += fmt::format("{:{}}{}\n", "", kLabel, lines[i]);
    }
    if (lines.size() > kMostLines) {
      text += fmt::format("{:{}}... {} bytes in total\n", "", kLabel, value.size());
    }
  }
  return text;
}

// The name comes last, because it may be long.
constexpr std::string_view kRow = "{:<4} {:<10} {:>7} {:>8} {:>8} {:<16} {}\n";

std::string row_text(std::string_view name, const StoredArray& array, const ArrayStatistics& s) {
  const auto cell = [](const auto& value, std::size_t width) {
    return value ? short_text(Value(*value), width) : "-";
  };
  auto row =
      fmt::format(kRow, array.type, shape_text(array.shape), cell(s.norm, 7), cell(s.least, 8),
                  cell(s.most, 8), fmt::format("{:016x}", s.hash), printable(name));
  if (s.infinite + s.nan > 0) {
    row += fmt::format("     of {} values: {} infinite, {} NaN\n", s.values, s.infinite, s.nan);
  }
  return row;
}

struct Group {
  std::size_t arrays = 0, bytes = 0;
};

}  // namespace

ArrayTable table_of(ArrayFile file) {
  ArrayTable table{.file = std::move(file), .statistics = {}};
  for (const auto& [name, array] : table.file.arrays()) {
    table.statistics.emplace(name, statistics_of(array));
  }
  return table;
}

std::string to_text(const ArrayTable& table) {
  const auto& file = table.file;
  auto text =
      fmt::format("{}: {}, {}\n", file.path().string(),
                  file.is_checkpoint() ? fmt::format("a sound checkpoint of step {}", *file.step())
                                       : "a safetensors file",
                  bytes_text(static_cast<double>(file.bytes())));
  text += metadata_text(file.metadata());
  std::map<std::string_view, Group> groups;
  std::vector<std::string_view> names;
  for (const auto& [name, array] : file.arrays()) {
    auto& group = groups[group_of(name)];
    ++group.arrays;
    group.bytes += array.data.size();
    names.emplace_back(name);
  }
  // The arrays of one scope stand together, before those of the scopes inside.
  std::ranges::sort(names, {}, [](std::string_view name) {
    return std::tuple(group_of(name), scope_of(name), name);
  });
  text += fmt::format("{}; norm, min and max are those of the finite values\n",
                      count_text(file.arrays().size(), "array"));
  if (!names.empty()) {
    text += fmt::format(kRow, "type", "shape", "norm", "min", "max", "hash (XXH3)", "name");
  }
  const std::string_view* last = nullptr;
  for (const auto& name : names) {
    if (last == nullptr || group_of(*last) != group_of(name)) {
      const auto& group = groups[group_of(name)];
      text += fmt::format(
          "\n{}: {}, {}\n", group_of(name).empty() ? "no scope" : printable(group_of(name)),
          count_text(group.arrays, "array"), bytes_text(static_cast<double>(group.bytes)));
    }
    const auto scope = scope_of(name);
    const bool in_group = scope.size() == group_of(name).size() + 1;  // below its heading
    if (!scope.empty() && !in_group && (last == nullptr || scope_of(*last) != scope)) {
      text += printable(scope) + "\n";
    }
    const std::string full(name);
    text += row_text(name.substr(scope.size()), file.arrays().at(full), table.statistics.at(full));
    last = &name;
  }
  return text;
}

nlohmann::json to_json(const ArrayTable& table) {
  const auto& file = table.file;
  auto arrays = nlohmann::json::array();
  for (const auto& [name, array] : file.arrays()) {
    const auto& s = table.statistics.at(name);
    const auto json = [](const auto& value) {
      return value ? to_json(Value(*value)) : nlohmann::json();
    };
    arrays.push_back({{"name", name},
                      {"type", array.type},
                      {"shape", array.shape},
                      {"norm", json(s.norm)},
                      {"min", json(s.least)},
                      {"max", json(s.most)},
                      {"infinite", s.infinite},
                      {"nan", s.nan},
                      {"hash", fmt::format("{:016x}", s.hash)}});
  }
  nlohmann::json result = {{"kind", file.is_checkpoint() ? "checkpoint" : "safetensors"},
                           {"file", file.path().string()},
                           {"bytes", file.bytes()},
                           {"metadata", file.metadata()},
                           {"arrays", std::move(arrays)}};
  if (file.step()) result["step"] = *file.step();
  return result;
}

}  // namespace terse::run
