// Line charts as SVG documents. Each curve is labelled at its end; there is no legend.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace terse::run {

struct ChartAxis {
  std::string label;
  bool logarithmic = false;                 // InternalError unless every value is above zero
  std::function<std::string(double)> text;  // label of a mark
};

struct Curve {
  std::string name;
  std::vector<std::pair<double, double>> points;  // at least one
};

struct LineChart {
  std::string title;
  ChartAxis x, y;
  std::vector<Curve> curves;  // at least one
};
std::string to_svg(const LineChart& chart);
// At least one chart, row by row; where there are several columns, all are small.
std::string to_svg(const std::vector<LineChart>& charts, std::size_t columns = 1);

}  // namespace terse::run
