#include "examples/run/line_chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tersegrad/core/error.hpp"

namespace terse::run {
namespace {

// Distinguishable with any colour vision (Okabe and Ito).
constexpr std::array<const char*, 7> kColours = {"#000000", "#0072B2", "#D55E00", "#009E73",
                                                 "#CC79A7", "#E69F00", "#56B4E9"};

// A chart's size and margins; the right one has the names of the curves.
struct Frame {
  double width, height, left, right, top, bottom;
  int title_size;
  double most_steps;  // between the marks of a linear axis

  double right_end() const { return width - right; }
  double bottom_end() const { return height - bottom; }
};
constexpr Frame kFrame = {.width = 860,
                          .height = 440,
                          .left = 70,
                          .right = 220,
                          .top = 50,
                          .bottom = 60,
                          .title_size = 16,
                          .most_steps = 10};
// Of a chart that has others beside it.
constexpr Frame kSmallFrame = {.width = 430,
                               .height = 290,
                               .left = 60,
                               .right = 90,
                               .top = 46,
                               .bottom = 50,
                               .title_size = 13,
                               .most_steps = 5};

// The range of an axis, widened to whole marks, and its marks: powers of ten, or steps of 1, 5, 10,
// 50, …
struct Scale {
  bool logarithmic;
  double low, high, step;

  Scale(const ChartAxis& axis, double least, double most, double most_steps)
      : logarithmic(axis.logarithmic), step(1) {
    internal_check(std::isfinite(least) && std::isfinite(most) && (least > 0 || !logarithmic),
                   "a chart's axis '{}' has no place for values from {} to {}", axis.label, least,
                   most);
    low = place(least);
    high = place(most);
    while (!logarithmic && (high - low) / step < 2 && step > 1e-9) step /= 10;
    for (int i = 0; !logarithmic && (high - low) / step > most_steps; ++i)
      step *= i % 2 == 0 ? 5 : 2;
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
  Frame frame;
  Scale horizontal, vertical;
  double x(double value) const {
    return frame.left + horizontal.share(value) * (frame.right_end() - frame.left);
  }
  double y(double value) const {
    return frame.bottom_end() - vertical.share(value) * (frame.bottom_end() - frame.top);
  }
};

Axes axes_of(const LineChart& chart, const Frame& frame) {
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
  return {.frame = frame,
          .horizontal = Scale(chart.x, left, right, frame.most_steps),
          .vertical = Scale(chart.y, bottom, top, frame.most_steps)};
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
  const auto& frame = axes.frame;
  std::string svg;
  for (const double mark : axes.horizontal.marks()) {
    const double x = axes.x(mark);
    svg += line(x, frame.top, x, frame.bottom_end(), grey);
    svg += text_at(x, frame.bottom_end() + 20, chart.x.text(mark), "text-anchor=\"middle\"");
  }
  for (const double mark : axes.vertical.marks()) {
    const double y = axes.y(mark);
    svg += line(frame.left, y, frame.right_end(), y, grey);
    svg += text_at(frame.left - 8, y + 4, chart.y.text(mark), "text-anchor=\"end\"");
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
  const double over = order.back().first - axes.frame.bottom_end();
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
  const double margin = axes.frame.right_end();
  return fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>\n{}",
                     points, colour, dots) +
         line(x, y, margin + 6, name_y,
              fmt::format("stroke=\"{}\" stroke-dasharray=\"1 4\"", colour)) +
         text_at(margin + 10, name_y + 4, curve.name, fmt::format("fill=\"{}\"", colour));
}

std::string draw(const LineChart& chart, const Frame& frame) {
  const Axes axes = axes_of(chart, frame);
  std::string svg = text_at(frame.left, frame.top - 24, chart.title,
                            fmt::format("font-size=\"{}\" font-weight=\"bold\"", frame.title_size));
  svg += grid(chart, axes);
  const auto heights = name_heights(chart, axes);
  for (std::size_t i = 0; i < chart.curves.size(); ++i) {
    svg += draw(chart.curves[i], axes, kColours[i % kColours.size()], heights[i]);
  }
  svg += text_at((frame.left + frame.right_end()) / 2, frame.height - 16, chart.x.label,
                 "text-anchor=\"middle\"");
  return svg + text_at(frame.left, frame.top - 8, chart.y.label, "text-anchor=\"start\"");
}

// A white sheet for so many charts from left to right and from top to bottom.
std::string sheet(const Frame& frame, std::size_t columns, std::size_t rows,
                  const std::string& content) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#333333\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{2}</svg>\n",
      frame.width * static_cast<double>(columns), frame.height * static_cast<double>(rows),
      content);
}

}  // namespace

std::string to_svg(const LineChart& chart) {
  return sheet(kFrame, 1, 1, draw(chart, kFrame));
}

std::string to_svg(const std::vector<LineChart>& charts, std::size_t columns) {
  const auto& frame = columns == 1 ? kFrame : kSmallFrame;
  std::string content;
  for (std::size_t i = 0; i < charts.size(); ++i) {
    const std::size_t row = i / columns, column = i % columns;
    content += fmt::format("<g transform=\"translate({} {})\">\n{}</g>\n",
                           frame.width * static_cast<double>(column),
                           frame.height * static_cast<double>(row), draw(charts[i], frame));
  }
  return sheet(frame, columns, (charts.size() + columns - 1) / columns, content);
}

}  // namespace terse::run
