#include "examples/inspect/difference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "examples/run/text.hpp"

namespace terse::run {
namespace {

constexpr std::size_t kShown = 10;  // arrays of each list

std::string form_text(const StoredArray& array) {
  return fmt::format("{} {}", array.type, shape_text(array.shape));
}

void compare_arrays(const std::string& name, const StoredArray& a, const StoredArray& b,
                    FileDifference& difference) {
  const bool same_form = a.type == b.type && a.shape == b.shape;
  if (same_form && std::ranges::equal(a.data, b.data)) {
    ++difference.equal;
    return;
  }
  difference.differing.push_back({.name = name,
                                  .first = &a,
                                  .second = &b,
                                  .same_form = same_form,
                                  .figures = same_form ? difference_of(a, b) : ArrayDifference{}});
}

std::string file_text(std::string_view label, const ArrayFile& file) {
  return fmt::format("{:<7} {}{}\n", label, file.path().string(),
                     file.step() ? fmt::format(", step {}", *file.step()) : "");
}

std::string more_text(std::size_t count) {
  return count > kShown ? fmt::format("  ... and {} more\n", count - kShown) : "";
}

std::string names_text(std::string_view which, const std::vector<std::string>& names) {
  if (names.empty()) return "";
  auto text = fmt::format("\nonly in the {}: {}\n", which, names.size());
  for (std::size_t i = 0; i < std::min(kShown, names.size()); ++i) {
    text += fmt::format("  {}\n", printable(names[i]));
  }
  return text + more_text(names.size());
}

std::string row_text(const FileDifference::Array& array) {
  const auto name = printable(array.name);
  if (!array.same_form) {
    return fmt::format("{:<43} {}\n",
                       form_text(*array.first) + " against " + form_text(*array.second), name);
  }
  const auto& f = array.figures;
  const auto number = [](double x) { return std::isnan(x) ? "nan" : fmt::format("{:.3g}", x); };
  return fmt::format("{:>9} {:>9} {:>11} of {:<9} {}\n", number(f.largest),
                     f.relative_norm ? number(*f.relative_norm) : "-", f.differing, f.values, name);
}

}  // namespace

bool is_measured_time(std::string_view name) {
  while (true) {
    const auto slash = name.find('/');
    if (slash == std::string_view::npos) return false;  // the array itself is no scope
    const auto scope = name.substr(0, slash);
    if (scope == "time" || scope.starts_with("time#")) return true;
    name.remove_prefix(slash + 1);
  }
}

FileDifference compare(const ArrayFile& first, const ArrayFile& second, bool times) {
  FileDifference difference{.first = &first, .second = &second};
  const auto left_out = [&](const std::string& name) { return !times && is_measured_time(name); };
  for (const auto& [name, array] : first.arrays()) {
    const auto other = second.arrays().find(name);
    if (left_out(name)) {
      ++difference.left_out;
    } else if (other == second.arrays().end()) {
      difference.only_in_first.push_back(name);
    } else {
      compare_arrays(name, array, other->second, difference);
    }
  }
  for (const auto& [name, array] : second.arrays()) {
    if (first.arrays().contains(name)) continue;
    if (left_out(name)) {
      ++difference.left_out;
    } else {
      difference.only_in_second.push_back(name);
    }
  }
  return difference;
}

std::string to_text(const FileDifference& d) {
  auto text = file_text("first", *d.first) + file_text("second", *d.second);
  text += "not compared: metadata";
  if (d.left_out > 0) {
    text += fmt::format(", and {} of measured seconds (--times)", count_text(d.left_out, "array"));
  }
  text += "\n" + names_text("first", d.only_in_first) + names_text("second", d.only_in_second);
  if (!d.differing.empty()) {
    text += fmt::format(
        "\ndifferent: {}; largest |a - b|, norm of a - b relative to that of a\n"
        "{:>9} {:>9} {:<24} {}\n",
        d.differing.size(), "largest", "relative", "     values that differ", "name");
    for (std::size_t i = 0; i < std::min(kShown, d.differing.size()); ++i) {
      text += row_text(d.differing[i]);
    }
    text += more_text(d.differing.size());
  }
  const auto others = d.only_in_first.size() + d.only_in_second.size() + d.differing.size();
  return text + (d.none() ? fmt::format("equal: {}\n", count_text(d.equal, "array"))
                          : fmt::format("\nequal: {}, different: {}\n",
                                        count_text(d.equal, "array"), others));
}

nlohmann::json to_json(const FileDifference& d) {
  const auto file = [](const ArrayFile& each) {
    nlohmann::json json = {{"file", each.path().string()}};
    if (each.step()) json["step"] = *each.step();
    return json;
  };
  auto differing = nlohmann::json::array();
  for (const auto& array : d.differing) {
    nlohmann::json json = {{"name", array.name},
                           {"types", {array.first->type, array.second->type}},
                           {"shapes", {array.first->shape, array.second->shape}}};
    if (array.same_form) {
      const auto& f = array.figures;
      json["values"] = f.values;
      json["values_differing"] = f.differing;
      json["largest"] = f.largest;
      json["relative_norm"] = f.relative_norm ? nlohmann::json(*f.relative_norm) : nlohmann::json();
    }
    differing.push_back(std::move(json));
  }
  return {{"kind", "difference"},
          {"first", file(*d.first)},
          {"second", file(*d.second)},
          {"equal", d.none()},
          {"equal_arrays", d.equal},
          {"left_out", d.left_out},
          {"only_in_first", d.only_in_first},
          {"only_in_second", d.only_in_second},
          {"differing", std::move(differing)}};
}

}  // namespace terse::run
