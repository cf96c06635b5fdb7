// The results of a sweep as tables, as JSON and as charts.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "examples/byzantine/sweep.hpp"
#include "examples/run/line_chart.hpp"
#include "examples/run/text.hpp"

namespace terse::run {
namespace {

using Cells = std::span<const ByzantineCell>;

// The leading cells that agree in `key`.
template <class Key>
Cells front_of(Cells cells, Key key) {
  const auto end = std::find_if(cells.begin(), cells.end(), [&](const ByzantineCell& cell) {
    return key(cell) != key(cells.front());
  });
  return cells.first(static_cast<std::size_t>(end - cells.begin()));
}

// Calls body(part) for each contiguous range of cells that agree in `key`.
template <class Key, class Body>
void for_each_part(Cells cells, Key key, Body body) {
  while (!cells.empty()) {
    const auto part = front_of(cells, key);
    body(part);
    cells = cells.subspan(part.size());
  }
}

// The key of a table or chart.
auto table_of(const ByzantineCell& cell) {
  return std::pair(cell.attack, cell.workers);
}
std::string method_of(const ByzantineCell& cell) {
  return cell.method;
}

double share(const ByzantineCell& cell) {
  return 100 * static_cast<double>(cell.byzantine) / static_cast<double>(cell.workers);
}

LineChart chart_of(Cells cells, Split split) {
  LineChart chart{
      .title = fmt::format("{}, {} workers", cells.front().attack, cells.front().workers),
      .x = {.label = "share of Byzantine workers, %",
            .text = [](double x) { return fmt::format("{:g}", x); }},
      .y = {.label = fmt::format("{} accuracy, %", split_text(split)),
            .text = [](double y) { return fmt::format("{:g}", y); }},
      .curves = {}};
  for_each_part(cells, method_of, [&](Cells row) {
    Curve curve{.name = row.front().method, .points = {}};
    for (const auto& cell : row)
      if (cell.failure.empty()) curve.points.emplace_back(share(cell), 100 * cell.accuracy);
    if (!curve.points.empty()) chart.curves.push_back(std::move(curve));
  });
  return chart;
}

}  // namespace

std::string table_text(const ByzantineSweep& sweep, const std::vector<ByzantineCell>& cells) {
  std::string text;
  for_each_part(cells, table_of, [&](Cells table) {
    const auto& first = table.front();
    text += fmt::format("{}, {} workers\n{:<16}", first.attack, first.workers, "Byzantine");
    const auto columns = front_of(table, method_of);
    for (const auto& cell : columns) text += fmt::format("{:>8}", cell.byzantine);
    text += fmt::format("\n{:<16}", "in percent");
    for (const auto& cell : columns) text += fmt::format("{:>8.0f}", share(cell));
    text += "\n" + std::string(16 + 8 * columns.size(), '-') + "\n";
    for_each_part(table, method_of, [&](Cells row) {
      text += fmt::format("{:<16}", row.front().method);
      for (const auto& cell : row)
        text += cell.failure.empty() ? fmt::format("{:>8.2f}", 100 * cell.accuracy)
                                     : fmt::format("{:>8}", "failed");
      text += "\n";
    });
    text += "\n";
  });
  for (const auto& cell : cells) {
    if (cell.failure.empty()) continue;
    text += fmt::format("{}, {} workers, {}, {} Byzantine: {}\n", cell.attack, cell.workers,
                        cell.method, cell.byzantine, cell.failure);
  }
  const auto caption = fmt::format(
      "{} accuracy in percent at the end of one short run each, at the rate that is recommended "
      "without an attack. trimmed and krum are given the number of Byzantine workers.",
      sweep.common.evaluate == Split::test ? "Test" : "Validation");
  for (const auto& line : wrapped(caption, 80)) text += line + "\n";
  return text;
}

nlohmann::json to_json(const ByzantineSweep& sweep, const std::vector<ByzantineCell>& cells) {
  const auto split = sweep.common.evaluate.value();
  auto list = nlohmann::json::array();
  for (const auto& cell : cells) {
    nlohmann::json json = {{"attack", cell.attack},       {"method", cell.method},
                           {"aggregate", cell.aggregate}, {"workers", cell.workers},
                           {"liars", cell.byzantine},     {"lr", cell.lr}};
    if (cell.failure.empty()) {
      json.update({{accuracy_key(split), cell.accuracy}, {loss_key(split), cell.loss}});
    } else {
      json["failure"] = cell.failure;
    }
    list.push_back(std::move(json));
  }
  return {{"cells", list}, {"config", common_settings(sweep)}};
}

std::string chart_svg(const ByzantineSweep& sweep, const std::vector<ByzantineCell>& cells) {
  std::vector<LineChart> charts;
  for_each_part(cells, table_of, [&](Cells table) {
    if (auto chart = chart_of(table, sweep.common.evaluate.value()); !chart.curves.empty())
      charts.push_back(std::move(chart));
  });
  return to_svg(charts);
}

}  // namespace terse::run
