// The chart of a comparison: accuracy or perplexity over bytes sent, one curve for each
// method. The axis of bytes is logarithmic, because methods differ by two orders of magnitude.
#include <fmt/format.h>

#include <algorithm>

#include "examples/compare/comparison.hpp"
#include "examples/run/line_chart.hpp"
#include "examples/run/progress.hpp"

namespace terse::run {
namespace {

// For marks, which are powers of ten: "10 KB" instead of "10.0 KB".
std::string whole_bytes_text(double bytes) {
  std::string text = bytes_text(bytes);
  if (const auto dot = text.find('.'); dot != std::string::npos) {
    text.erase(dot, text.find(' ') - dot);
  }
  return text;
}

}  // namespace

std::string chart_svg(const std::vector<ComparedRun>& runs) {
  const auto& c = runs.front().config;
  const auto& evaluation = first_result(runs).evaluations.back();
  const bool images = evaluation.metric == Metric::accuracy;
  const auto* split = split_text(evaluation.split);
  LineChart chart{
      .title =
          fmt::format("{} on {}, {} workers, {}", c.model, c.data, c.workers, c.topology.name()),
      .x = {.label = "bytes sent by each worker", .logarithmic = true, .text = whole_bytes_text},
      .y = {.label = images ? fmt::format("{} accuracy, %", split)
                            : fmt::format("perplexity of the {} text", split),
            .text = [](double score) { return fmt::format("{:g}", score); }},
      .curves = {}};
  for (const auto& run : runs) {
    if (!run.failure.empty()) continue;
    Curve curve{.name = run.config.compressor, .points = {}};
    for (const auto& e : run.result.evaluations) {
      const auto bytes = std::max<std::uint64_t>(1, e.bytes_sent_per_worker);
      curve.points.emplace_back(static_cast<double>(bytes), e.score());
    }
    chart.curves.push_back(std::move(curve));
  }
  return to_svg(chart);
}

}  // namespace terse::run
