#include "examples/run/line_chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace terse::run {
namespace {

// Distinguishable with any colour vision (Okabe and Ito).
constexpr std::array<const char*, 7> kColours = {"#000000", "#0072B2", "#D55E00", "#009E73",
                                                 "#CC79A7", "#E69F00", "#56B4E9"};

constexpr double kWidth = 860, kHeight = 440;
constexpr double kLeft = 70, kRight = 220, kTop = 50, kBottom = 60;

// The range of an axis, widened to whole marks, and its marks: powers of ten, or steps of 1, 5, 10,
// 50, …
struct Scale {
  bool logarithmic;
  double low, high, step;

  Scale(const ChartAxis& axis, double least, double most) : logarithmic(axis.logarithmic), step(1) {
    low = place(least);
    high = place(most);
    while (!logarithmic && (high - low) / step < 2 && step > 1e-9) step /= 10;
    for (int i = 0; !logarithmic && (high - low) / step > 10; ++i) step *= i % 2 == 0 ? 5 : 2;
    low = std::floor(low / step) * step;
    high = std::max(std::ceil(high / step) * step, low + step);
  }
  double place(double value) const { return logarithmic ? std::log10(value) : value; }
  double share(double value) const { return (place(value) - low) / (high - low); }
  std::vector<double> marks() const {
    std::vector<double> all;
    for (int i = 0; low + i * step <= high + step / 1e6; ++i) {
      all.push_back(logarithmic ? std::pow(10, low + i * step) : low + i * step);
    }
    return all;
  }
};

// The position of a value on the sheet.
struct Axes {
  Scale horizontal, vertical;
  double x(double value) const {
    return kLeft + horizontal.share(value) * (kWidth - kLeft - kRight);
  }
  double y(double value) const {
    return kHeight - kBottom - vertical.share(value) * (kHeight - kTop - kBottom);
  }
};

Axes axes_of(const LineChart& chart) {
  auto [left, bottom] = chart.curves.front().points.front();
  double right = left, top = bottom;
  for (const auto& curve : chart.curves) {
    for (const auto& [x, y] : curve.points) {
      left = std::min(left, x);
      right = std::max(right, x);
      bottom = std::min(bottom, y);
      top = std::max(top, y);
    }
  }
  return {.horizontal = Scale(chart.x, left, right), .vertical = Scale(chart.y, bottom, top)};
}

std::string text_at(double x, double y, const std::string& text, const std::string& more) {
  std::string safe;
  for (const char c : text) {
    safe += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
  }
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, more, safe);
}

std::string line(double x1, double y1, double x2, double y2, const std::string& more) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", x1, y1,
                     x2, y2, more);
}

std::string grid(const LineChart& chart, const Axes& axes) {
  const std::string grey = "stroke=\"#dddddd\"";
  std::string svg;
  for (const double mark : axes.horizontal.marks()) {
    const double x = axes.x(mark);
    svg += line(x, kTop, x, kHeight - kBottom, grey);
    svg += text_at(x, kHeight - kBottom + 20, chart.x.text(mark), "text-anchor=\"middle\"");
  }
  for (const double mark : axes.vertical.marks()) {
    const double y = axes.y(mark);
    svg += line(kLeft, y, kWidth - kRight, y, grey);
    svg += text_at(kLeft - 8, y + 4, chart.y.text(mark), "text-anchor=\"end\"");
  }
  return svg;
}

// Heights of the labels at the curves' ends, moved apart so that none covers another.
std::vector<double> name_heights(const LineChart& chart, const Axes& axes) {
  constexpr double kApart = 16;
  std::vector<std::pair<double, std::size_t>> order;
  for (std::size_t i = 0; i < chart.curves.size(); ++i) {
    order.emplace_back(axes.y(chart.curves[i].points.back().second), i);
  }
  std::sort(order.begin(), order.end());
  for (std::size_t i = 1; i < order.size(); ++i) {
    order[i].first = std::max(order[i].first, order[i - 1].first + kApart);
  }
  const double over = order.back().first - (kHeight - kBottom);
  std::vector<double> heights(chart.curves.size());
  for (const auto& [y, i] : order) heights[i] = y - std::max(0.0, over);
  return heights;
}

std::string draw(const Curve& curve, const Axes& axes, const std::string& colour, double name_y) {
  std::string points, dots;
  double x = 0, y = 0;
  for (const auto& [horizontal, vertical] : curve.points) {
    x = axes.x(horizontal);
    y = axes.y(vertical);
    points += fmt::format("{:.1f},{:.1f} ", x, y);
    dots +=
        fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"{}\"/>\n", x, y, colour);
  }
  const double margin = kWidth - kRight;
  return fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>\n{}",
                     points, colour, dots) +
         line(x, y, margin + 6, name_y,
              fmt::format("stroke=\"{}\" stroke-dasharray=\"1 4\"", colour)) +
         text_at(margin + 10, name_y + 4, curve.name, fmt::format("fill=\"{}\"", colour));
}

std::string draw(const LineChart& chart) {
  const Axes axes = axes_of(chart);
  std::string svg = text_at(kLeft, 26, chart.title, "font-size=\"16\" font-weight=\"bold\"");
  svg += grid(chart, axes);
  const auto heights = name_heights(chart, axes);
  for (std::size_t i = 0; i < chart.curves.size(); ++i) {
    svg += draw(chart.curves[i], axes, kColours[i % kColours.size()], heights[i]);
  }
  svg +=
      text_at((kLeft + kWidth - kRight) / 2, kHeight - 16, chart.x.label, "text-anchor=\"middle\"");
  return svg + text_at(kLeft, kTop - 8, chart.y.label, "text-anchor=\"start\"");
}

// A white sheet for so many charts.
std::string sheet(std::size_t charts, const std::string& content) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#333333\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{2}</svg>\n",
      kWidth, kHeight * static_cast<double>(charts), content);
}

}  // namespace

std::string to_svg(const LineChart& chart) {
  return sheet(1, draw(chart));
}

std::string to_svg(const std::vector<LineChart>& charts) {
  std::string content;
  for (std::size_t i = 0; i < charts.size(); ++i) {
    content += fmt::format("<g transform=\"translate(0 {})\">\n{}</g>\n",
                           kHeight * static_cast<double>(i), draw(charts[i]));
  }
  return sheet(charts.size(), content);
}

}  // namespace terse::run
