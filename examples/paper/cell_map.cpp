#include "examples/paper/cell_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <map>

namespace terse::paper {
namespace {

constexpr double kCellWidth = 92, kCellHeight = 44;
constexpr double kMapLeft = 60, kMapTop = 60, kMapBottom = 60, kMapRight = 20;
constexpr double kLeastWidth = 560;    // room for the title of a map with few columns
constexpr std::size_t kLongName = 12;  // characters that fill a cell
// Light forms of colours that any colour vision distinguishes (Okabe and Ito).
constexpr std::array<const char*, 6> kFills = {"#9fc8e4", "#f2b48f", "#94d4c0",
                                               "#e9c7da", "#f5d58c", "#bfe2f6"};
constexpr const char* kPlainFill = "#e4e4e4";

std::string map_text(double x, double y, const std::string& text,
                     const std::string& more = "text-anchor=\"middle\"") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, more, text);
}

double height_of(const CellMap& map) {
  return kMapTop + kCellHeight * static_cast<double>(map.y.size()) + kMapBottom;
}

std::string drawn(const CellMap& map) {
  const double bottom = kMapTop + kCellHeight * static_cast<double>(map.y.size());
  const double middle = kMapLeft + kCellWidth * static_cast<double>(map.x.size()) / 2;
  std::string svg = map_text(kMapLeft, 24, map.title, "font-size=\"16\" font-weight=\"bold\"") +
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
          left, top, kCellWidth, kCellHeight, cell.fill);
      const std::string centred = "text-anchor=\"middle\"", small = centred + " font-size=\"11\"";
      svg += map_text(left + kCellWidth / 2, top + 19, cell.text,
                      cell.text.size() > kLongName ? small : centred);
      svg += map_text(left + kCellWidth / 2, top + 35, cell.detail, small);
    }
  }
  return svg;
}

}  // namespace

void colour_by_text(std::vector<CellMap>& maps, const std::vector<std::string>& plain) {
  std::map<std::string, std::string> fills;
  for (const auto& text : plain) fills[text] = kPlainFill;
  std::size_t next = 0;
  for (auto& map : maps) {
    for (auto& row : map.cells) {
      for (auto& cell : row) {
        const auto [fill, is_new] = fills.try_emplace(cell.text);
        if (is_new) fill->second = kFills[next++ % kFills.size()];
        cell.fill = fill->second;
      }
    }
  }
}

std::string colour_of(double value, double most) {
  using Rgb = std::array<double, 3>;
  constexpr Rgb kWhite = {255, 255, 255}, kOrange = {230, 140, 80}, kBlue = {80, 160, 215};
  const Rgb& full = value < 0 ? kBlue : kOrange;
  const double share = std::min(1.0, std::abs(value) / most);
  std::string colour = "#";
  for (std::size_t i = 0; i < full.size(); ++i) {
    const double mixed = kWhite[i] + share * (full[i] - kWhite[i]);
    colour += fmt::format("{:02x}", std::lround(mixed));
  }
  return colour;
}

std::string to_svg(const std::vector<CellMap>& maps) {
  std::string content;
  double height = 0, width = kLeastWidth;
  for (const auto& map : maps) {
    content += fmt::format("<g transform=\"translate(0 {})\">\n{}</g>\n", height, drawn(map));
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
