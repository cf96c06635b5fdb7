// Numbers of a row, and curves of them.
//
// A row of several seeds has an array `seeds` with an object for each.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "examples/paper/statistics.hpp"
#include "examples/run/line_chart.hpp"

namespace terse::paper {

inline std::vector<double> numbers(const nlohmann::json& array) {
  return array.get<std::vector<double>>();
}

// value(seed's object) for each seed of a row.
template <class Value>
std::vector<double> by_seed(const nlohmann::json& row, Value value) {
  std::vector<double> all;
  for (const auto& seed : row.at("seeds")) all.push_back(value(seed));
  return all;
}
// seed.at(key) for each seed.
inline std::vector<double> by_seed(const nlohmann::json& row, const char* key) {
  return by_seed(row, [key](const nlohmann::json& seed) { return seed.at(key).get<double>(); });
}
// The element k of seed.at(key) for each seed.
inline std::vector<double> by_seed(const nlohmann::json& row, const char* key, std::size_t k) {
  return by_seed(row, [=](const nlohmann::json& seed) { return seed.at(key).at(k).get<double>(); });
}
// Their mean.
inline double mean_by_seed(const nlohmann::json& row, const char* key, std::size_t k) {
  return interval_of(by_seed(row, key, k)).mean;
}

// The slope of log seed[y] over log row[x], of each seed.
inline Interval slope_by_seed(const nlohmann::json& row, const char* x, const char* y) {
  return interval_of(by_seed(row, [&](const nlohmann::json& seed) {
    return log_slope(numbers(row.at(x)), numbers(seed.at(y)));
  }));
}

// ---- pictures -----------------------------------------------------------------------------------

inline std::string plain(double value) {
  return fmt::format("{:g}", value);
}

// A curve y(i, k) over x[k] for each of the names.
template <class Y>
run::LineChart chart(std::string title, run::ChartAxis x_axis, run::ChartAxis y_axis,
                     const std::vector<double>& x, const std::vector<std::string>& names, Y y) {
  run::LineChart result{
      .title = std::move(title), .x = std::move(x_axis), .y = std::move(y_axis), .curves = {}};
  for (std::size_t i = 0; i < names.size(); ++i) {
    run::Curve curve{.name = names[i], .points = {}};
    for (std::size_t k = 0; k < x.size(); ++k) curve.points.emplace_back(x[k], y(i, k));
    result.curves.push_back(std::move(curve));
  }
  return result;
}

}  // namespace terse::paper
