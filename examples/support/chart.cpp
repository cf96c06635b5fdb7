// The picture of a comparison: test accuracy, or perplexity, over bytes sent, one curve a method.
//
// The bytes stand on a logarithmic axis, for they differ by two orders of magnitude. Each curve is
// named at its end instead of in a legend.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "examples/support/comparison.hpp"
#include "examples/support/progress.hpp"

namespace terse::run {
namespace {

// Colours that people with any colour vision tell apart (Okabe and Ito).
constexpr std::array<const char*, 7> kColours = {"#000000", "#0072B2", "#D55E00", "#009E73",
                                                 "#CC79A7", "#E69F00", "#56B4E9"};

constexpr double kWidth = 860, kHeight = 440;
constexpr double kLeft = 70, kRight = 220, kTop = 50, kBottom = 60;

// Where a value stands on the sheet.
struct Axes {
  double low_exponent, high_exponent;  // of the bytes, base 10
  double low, high;                    // accuracy in percent, or perplexity

  double x(double bytes) const {
    return kLeft + (std::log10(bytes) - low_exponent) / (high_exponent - low_exponent) *
                       (kWidth - kLeft - kRight);
  }
  double y(double percent) const {
    return kHeight - kBottom - (percent - low) / (high - low) * (kHeight - kTop - kBottom);
  }
};

Axes axes_of(const std::vector<ComparedRun>& runs) {
  double fewest = 1e30, most = 1, worst = 1e30, best = 0;
  for (const auto& run : runs) {
    for (const auto& e : run.result.evaluations) {
      const auto bytes = static_cast<double>(std::max<std::uint64_t>(1, e.bytes_sent_per_worker));
      fewest = std::min(fewest, bytes);
      most = std::max(most, bytes);
      worst = std::min(worst, e.score());
      best = std::max(best, e.score());
    }
  }
  Axes axes{.low_exponent = std::floor(std::log10(fewest)),
            .high_exponent = std::ceil(std::log10(most)),
            .low = std::floor(worst / 5) * 5,
            .high = std::ceil(best / 5) * 5};
  if (axes.high_exponent <= axes.low_exponent) axes.high_exponent = axes.low_exponent + 1;
  if (axes.high <= axes.low) axes.high = axes.low + 5;
  return axes;
}

std::string text_at(double x, double y, const std::string& text, const char* more) {
  std::string safe;
  for (const char c : text) {
    safe += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
  }
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, more, safe);
}

std::string line(double x1, double y1, double x2, double y2, const char* colour) {
  return fmt::format(
      "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\"/>\n", x1, y1, x2,
      y2, colour);
}

std::string grid(const Axes& axes) {
  std::string svg;
  for (double e = axes.low_exponent; e <= axes.high_exponent; ++e) {
    const double x = axes.x(std::pow(10, e));
    svg += line(x, kTop, x, kHeight - kBottom, "#dddddd");
    std::string label = bytes_text(std::pow(10, e));
    if (const auto dot = label.find('.'); dot != std::string::npos) {
      label = label.substr(0, dot) + label.substr(label.find(' '));
    }
    svg += text_at(x, kHeight - kBottom + 20, label, "text-anchor=\"middle\"");
  }
  double step = 1;
  for (int i = 0; (axes.high - axes.low) / step > 10; ++i) step *= i % 2 == 0 ? 5 : 2;
  for (double p = axes.low; p <= axes.high + 1e-9; p += step) {
    svg += line(kLeft, axes.y(p), kWidth - kRight, axes.y(p), "#dddddd");
    svg += text_at(kLeft - 8, axes.y(p) + 4, fmt::format("{:.0f}", p), "text-anchor=\"end\"");
  }
  return svg;
}

// Heights of the names at the curves' ends, moved apart so that none covers another.
std::vector<double> label_heights(const std::vector<ComparedRun>& runs, const Axes& axes) {
  constexpr double kApart = 16;
  std::vector<std::pair<double, std::size_t>> order;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    order.emplace_back(axes.y(runs[i].result.evaluations.back().score()), i);
  }
  std::sort(order.begin(), order.end());
  for (std::size_t i = 1; i < order.size(); ++i) {
    order[i].first = std::max(order[i].first, order[i - 1].first + kApart);
  }
  const double over = order.empty() ? 0 : order.back().first - (kHeight - kBottom);
  std::vector<double> heights(runs.size());
  for (const auto& [y, i] : order) heights[i] = y - std::max(0.0, over);
  return heights;
}

}  // namespace

std::string chart_svg(const std::vector<ComparedRun>& runs) {
  const Axes axes = axes_of(runs);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#333333\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
      kWidth, kHeight);
  if (!runs.empty()) {
    const auto& c = runs.front().config;
    svg += text_at(kLeft, 26,
                   fmt::format("{} on {}, {} workers, {}", c.model, c.data, c.workers, c.topology),
                   "font-size=\"16\" font-weight=\"bold\"");
  }
  svg += grid(axes);
  const auto heights = label_heights(runs, axes);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const char* colour = kColours[i % kColours.size()];
    std::string points, dots;
    double x = 0, y = 0;
    for (const auto& e : runs[i].result.evaluations) {
      x = axes.x(static_cast<double>(std::max<std::uint64_t>(1, e.bytes_sent_per_worker)));
      y = axes.y(e.score());
      points += fmt::format("{:.1f},{:.1f} ", x, y);
      dots += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"{}\"/>\n", x, y,
                          colour);
    }
    svg +=
        fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>\n{}",
                    points, colour, dots);
    const double margin = kWidth - kRight;
    svg += fmt::format(
        "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" "
        "stroke-dasharray=\"1 4\"/>\n",
        x, y, margin + 6, heights[i], colour);
    svg += text_at(margin + 10, heights[i] + 4, runs[i].config.compressor,
                   fmt::format("fill=\"{}\"", colour).c_str());
  }
  svg += text_at((kLeft + kWidth - kRight) / 2, kHeight - 16, "bytes sent by each worker",
                 "text-anchor=\"middle\"");
  const bool images = runs.front().result.evaluations.back().metric == Metric::accuracy;
  const char* name = images ? "test accuracy, %" : "perplexity of the test text";
  svg += text_at(kLeft, kTop - 8, name, "text-anchor=\"start\"");
  return svg + "</svg>\n";
}

}  // namespace terse::run
