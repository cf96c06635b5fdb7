// Who is first, by two quantities: an SVG document with a coloured cell for each pair.
#pragma once

#include <string>
#include <vector>

namespace terse::paper {

struct WinnerMap {
  struct Cell {
    std::string winner, detail;  // two lines of the cell
  };
  std::string title, x_label, y_label;
  std::vector<std::string> x, y;         // labels of the columns, and of the rows from the bottom
  std::vector<std::vector<Cell>> cells;  // cells[row][column]
  std::vector<std::string> plain;        // winners whose cells are grey
};
// One map below the other.
std::string to_svg(const std::vector<WinnerMap>& maps);

}  // namespace terse::paper
