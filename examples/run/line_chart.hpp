// A picture of curves: an SVG document. Each curve is named at its end instead of in a legend.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace terse::run {

struct ChartAxis {
  std::string label;
  bool logarithmic = false;                 // then every value must be above zero
  std::function<std::string(double)> text;  // of a mark
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
// One below the other; at least one.
std::string to_svg(const std::vector<LineChart>& charts);

}  // namespace terse::run
