// The results of a staleness sweep as a table, as JSON and as a chart.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "examples/run/line_chart.hpp"
#include "examples/staleness/sweep.hpp"

namespace terse::run {
namespace {

// The methods, or the numbers of workers, in the order of their first cells.
template <class Key>
auto keys_of(const std::vector<SweepCell>& cells, Key key) {
  std::vector<std::remove_cvref_t<decltype(cells.front().*key)>> keys;
  for (const auto& cell : cells) {
    if (std::ranges::find(keys, cell.*key) == keys.end()) keys.push_back(cell.*key);
  }
  return keys;
}

const SweepCell* find(const std::vector<SweepCell>& cells, const std::string& method,
                      std::int64_t workers) {
  const auto found = std::ranges::find_if(
      cells, [&](const auto& cell) { return cell.method == method && cell.workers == workers; });
  return found == cells.end() ? nullptr : &*found;
}

std::string row(const std::vector<SweepCell>& cells, const std::string& method,
                std::span<const std::int64_t> columns) {
  std::string text = fmt::format("{:<20}", method);
  for (const auto workers : columns) {
    const auto* cell = find(cells, method, workers);
    if (cell == nullptr || !cell->failure.empty()) {
      text += fmt::format("{:>15}", cell == nullptr ? "" : "failed");
      continue;
    }
    text += cell->learned ? fmt::format("{:>7.2f}{:>8}", 100 * cell->accuracy,
                                        fmt::format("{}{:.3g}", cell->at_top ? ">=" : "",
                                                    cell->largest_stable_rate))
                          : fmt::format("{:>7}{:>8}", "-", "-");
  }
  return text + "\n";
}

}  // namespace

std::string table_text(const Sweep& sweep, const std::vector<SweepCell>& cells) {
  constexpr std::size_t kAcross = 4;
  const auto all = keys_of(cells, &SweepCell::workers);
  std::string text;
  for (std::size_t first = 0; first < all.size(); first += kAcross) {
    const auto columns = std::span(all).subspan(first, std::min(kAcross, all.size() - first));
    std::string heads = fmt::format("{:<20}", ""), units = fmt::format("{:<20}", "method");
    for (const auto workers : columns) {
      heads += fmt::format("{:>15}", fmt::format("W = {}", workers));
      units += fmt::format("{:>7}{:>8}", "acc.%", "rate");
    }
    text += fmt::format("{}\n{}\n{:-<{}}\n", heads, units, "", units.size());
    for (const auto& method : keys_of(cells, &SweepCell::method)) {
      text += row(cells, method, columns);
    }
  }
  for (const auto& cell : cells) {
    if (!cell.failure.empty())
      text += fmt::format("{}, {} workers: {}\n", cell.method, cell.workers, cell.failure);
  }
  return text + fmt::format(
                    "acc.: {} split, best rate; rate: the largest stable one, to a factor of two\n",
                    sweep.common.evaluate.name());
}

nlohmann::json to_json(const Sweep& sweep, const std::vector<SweepCell>& cells) {
  auto list = nlohmann::json::array();
  for (const auto& cell : cells) {
    nlohmann::json json = {
        {"method", cell.method}, {"workers", cell.workers}, {"learned", cell.learned}};
    if (!cell.failure.empty()) {
      json = {{"method", cell.method}, {"workers", cell.workers}, {"failure", cell.failure}};
    } else if (cell.learned) {
      json.update({{"largest_stable_rate", cell.largest_stable_rate},
                   {"at_top", cell.at_top},
                   {"best_rate", cell.best_rate},
                   {accuracy_key(sweep.common.evaluate.value()), cell.accuracy},
                   {"deviation", cell.deviation},
                   {"mean_staleness", cell.mean_staleness},
                   {"message_bytes", cell.message_bytes}});
    }
    list.push_back(std::move(json));
  }
  auto config = common_settings(sweep);
  config["rates"] = {std::exp2(sweep.low), std::exp2(sweep.high)};
  config["seeds"] = sweep.seeds;
  return {{"cells", list}, {"config", config}};
}

std::string chart_svg(const Sweep& sweep, const std::vector<SweepCell>& cells) {
  const bool test = sweep.common.evaluate == Split::test;
  LineChart chart{
      .title = fmt::format("{} accuracy at the best rate", test ? "Test" : "Validation"),
      .x = {.label = "workers",
            .logarithmic = true,
            .text = [](double workers) { return fmt::format("{:g}", workers); }},
      .y = {.label = test ? "test accuracy, %" : "validation accuracy, %",
            .text = [](double score) { return fmt::format("{:g}", score); }},
      .curves = {}};
  for (const auto& method : keys_of(cells, &SweepCell::method)) {
    Curve curve{.name = method, .points = {}};
    for (const auto& cell : cells) {
      if (cell.method != method || !cell.learned) continue;
      curve.points.emplace_back(static_cast<double>(cell.workers), 100 * cell.accuracy);
    }
    if (!curve.points.empty()) chart.curves.push_back(std::move(curve));
  }
  return chart.curves.empty() ? "" : to_svg(chart);
}

}  // namespace terse::run
