#include "examples/paper/winner_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

namespace terse::paper {
namespace {

constexpr double kCellWidth = 92, kCellHeight = 44;
constexpr double kMapLeft = 60, kMapTop = 60, kMapBottom = 60, kMapRight = 20;
constexpr std::size_t kLongName = 12;  // characters that fill a cell
// Light forms of colours that any colour vision distinguishes (Okabe and Ito).
constexpr std::array<const char*, 6> kFills = {"#9fc8e4", "#f2b48f", "#94d4c0",
                                               "#e9c7da", "#f5d58c", "#bfe2f6"};
constexpr const char* kPlainFill = "#e4e4e4";

std::string map_text(double x, double y, const std::string& text, const std::string& more = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\" {}>{}</text>\n", x, y,
                     more, text);
}

double height_of(const WinnerMap& map) {
  return kMapTop + kCellHeight * static_cast<double>(map.y.size()) + kMapBottom;
}

// Every winner keeps its colour in all maps of a document.
using Fills = std::map<std::string, std::string>;
Fills fills_of(const std::vector<WinnerMap>& maps) {
  Fills fills;
  std::size_t next = 0;
  for (const auto& map : maps) {
    for (const auto& row : map.cells) {
      for (const auto& cell : row) {
        const bool plain = std::ranges::find(map.plain, cell.winner) != map.plain.end();
        if (fills.contains(cell.winner)) continue;
        fills[cell.winner] = plain ? kPlainFill : kFills[next++ % kFills.size()];
      }
    }
  }
  return fills;
}

std::string drawn(const WinnerMap& map, const Fills& fills) {
  const double bottom = kMapTop + kCellHeight * static_cast<double>(map.y.size());
  const double middle = kMapLeft + kCellWidth * static_cast<double>(map.x.size()) / 2;
  std::string svg = map_text(middle, 24, map.title, "font-size=\"16\" font-weight=\"bold\"") +
                    map_text(middle, bottom + 44, map.x_label) +
                    map_text(kMapLeft, kMapTop - 10, map.y_label);
  for (std::size_t j = 0; j < map.x.size(); ++j) {
    svg += map_text(kMapLeft + kCellWidth * (static_cast<double>(j) + 0.5), bottom + 20, map.x[j]);
  }
  for (std::size_t i = 0; i < map.y.size(); ++i) {
    const double top = bottom - kCellHeight * static_cast<double>(i + 1);
    svg += map_text(kMapLeft - 22, top + kCellHeight / 2 + 4, map.y[i]);
    for (std::size_t j = 0; j < map.x.size(); ++j) {
      const auto& cell = map.cells[i][j];
      const double left = kMapLeft + kCellWidth * static_cast<double>(j);
      svg += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" fill=\"{}\" "
          "stroke=\"white\"/>\n",
          left, top, kCellWidth, kCellHeight, fills.at(cell.winner));
      svg += map_text(left + kCellWidth / 2, top + 19, cell.winner,
                      cell.winner.size() > kLongName ? "font-size=\"11\"" : "");
      svg += map_text(left + kCellWidth / 2, top + 35, cell.detail, "font-size=\"11\"");
    }
  }
  return svg;
}

}  // namespace

std::string to_svg(const std::vector<WinnerMap>& maps) {
  const auto fills = fills_of(maps);
  std::string content;
  double height = 0, width = 0;
  for (const auto& map : maps) {
    content +=
        fmt::format("<g transform=\"translate(0 {})\">\n{}</g>\n", height, drawn(map, fills));
    height += height_of(map);
    width = std::max(width, kMapLeft + kCellWidth * static_cast<double>(map.x.size()) + kMapRight);
  }
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#333333\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{2}</svg>\n",
      width, height, content);
}

}  // namespace terse::paper
