// Maps of two quantities: an SVG document with a coloured cell for each pair.
#pragma once

#include <string>
#include <vector>

namespace terse::paper {

struct CellMap {
  struct Cell {
    std::string text, detail;  // two lines of the cell
    std::string fill = {};     // an SVG colour
  };
  std::string title, x_label, y_label;
  std::vector<std::string> x, y;         // labels of the columns, and of the rows from the bottom
  std::vector<std::vector<Cell>> cells;  // cells[row][column]
};

// Fills cells by their text, which has one colour in all maps; cells with one of the `plain` texts
// are grey.
void colour_by_text(std::vector<CellMap>& maps, const std::vector<std::string>& plain);

// The fill of a value: blue at −most, white at 0 and orange at `most`, beyond which nothing changes.
std::string colour_of(double value, double most);

// One map below the other.
std::string to_svg(const std::vector<CellMap>& maps);

}  // namespace terse::paper
