#include "examples/paper/powersgd_scaling.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "examples/paper/exchange_time.hpp"
#include "examples/paper/powersgd_times.hpp"
#include "examples/paper/row_values.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

constexpr const char* kNetworkTimes = "times/resnet18-workers";
constexpr const char* kCodedTimes = "times/resnet18-scaling";

// Figure 3, and the other operators that gather the packets of all workers.
constexpr const char* kFigure3[] = {"none", "powersgd:rank=2+ef", "vote:exchange=gather"};
constexpr const char* kAllScaled[] = {"none",    "powersgd:rank=2+ef", "vote:exchange=gather",
                                      "sign+ef", "topk:rank=2+ef",     "atomo:rank=2"};

bool gathers(std::string_view spec) {
  return spec != "none" && !spec.starts_with("powersgd");
}

std::vector<std::int64_t> scaled_workers(Scale scale) {
  if (scale == Scale::quick) return {2, 4};
  return {2, 4, 8, 16};
}
// That the largest number is compared with.
std::int64_t few_workers(Scale scale) {
  return scale == Scale::quick ? 2 : 4;
}
std::vector<double> worker_axis(Scale scale) {
  const auto workers = scaled_workers(scale);
  return {workers.begin(), workers.end()};
}

// The network alone, which is exact.
Experiment network_times(Scale scale) {
  std::vector<TimedMethod> methods;
  for (const char* spec : kFigure3) {
    for (const auto workers : scaled_workers(scale)) {
      methods.push_back({.spec = spec,
                         .workers = workers,
                         .networks = {kFastNetwork, kSlowNetwork},
                         .coding_runs = 0});
      methods.push_back(methods.back());
      methods.back().all_reduce = "ring";
    }
  }
  return exchange_times(kNetworkTimes, "resnet18", std::move(methods), 60, scale);
}

Experiment coded_times(Scale scale) {
  std::vector<TimedMethod> methods;
  for (const char* spec : kAllScaled) {
    for (const auto workers : scaled_workers(scale)) {
      methods.push_back({.spec = spec,
                         .workers = workers,
                         .networks = {kFastNetwork, kSlowNetwork},
                         .coding_runs = 3});
    }
  }
  return exchange_times(kCodedTimes, "resnet18", std::move(methods), 500, scale);
}

// ---- scaling ------------------------------------------------------------------------------------

Finding gathers_grow(const Rows& rows, Scale scale) {
  const auto many = scaled_workers(scale).back(), few = few_workers(scale);
  const auto ratio = [&](const char* spec, const char* network, const char* all_reduce) {
    const auto& times = rows[kNetworkTimes];
    return network_seconds(timed_method(times, spec, many, all_reduce), network) /
           network_seconds(timed_method(times, spec, few, all_reduce), network);
  };
  bool holds = true;
  auto text = fmt::format("time of ResNet-18's exchange with {} workers / with {}", many, few);
  for (const char* spec : kFigure3) {
    text += fmt::format("; {}", spec);
    for (const char* network : {kFastNetwork, kSlowNetwork}) {
      const double grows = ratio(spec, network, "auto");
      holds = holds && (gathers(spec) ? grows > 3 : grows < 1.5);
      text += fmt::format(" {:.2f} ({}", grows, network);
      if (!gathers(spec)) text += fmt::format("; ring {:.2f}", ratio(spec, network, "ring"));
      text += ")";
    }
  }
  return {.verdict = holds_if(holds), .measured = text};
}

Charts draw_network_times(const Rows& rows, Scale scale) {
  Charts charts;
  for (const char* network : {kFastNetwork, kSlowNetwork}) {
    charts.push_back(
        chart(std::string("One exchange of ResNet-18's gradients, ") + network,
              {.label = "workers", .logarithmic = true, .text = plain},
              {.label = "ms", .logarithmic = true, .text = plain}, worker_axis(scale),
              {std::begin(kFigure3), std::end(kFigure3)}, [&](std::size_t i, std::size_t k) {
                const auto& method =
                    timed_method(rows[kNetworkTimes], kFigure3[i], scaled_workers(scale)[k]);
                return 1e3 * network_seconds(method, network);
              }));
  }
  return charts;
}

// ---- scaling-gathered ---------------------------------------------------------------------------

// Encoding is a worker's own, so that it does not depend on their number.
double received_seconds(const json& method, const char* network) {
  return network_seconds(method, network) + decode_seconds(method);
}

Finding gathers_and_decoding_grow(const Rows& rows, Scale scale) {
  const auto& times = rows[kCodedTimes];
  const auto many = scaled_workers(scale).back(), few = few_workers(scale);
  bool holds = true;
  auto text = fmt::format(
      "time of ResNet-18's exchange and of decoding with {} workers / with {}, 10 and 1 Gbit/s",
      many, few);
  for (const char* spec : kAllScaled) {
    const auto &of_many = timed_method(times, spec, many), &of_few = timed_method(times, spec, few);
    text += fmt::format("; {}", spec);
    for (const char* network : {kFastNetwork, kSlowNetwork}) {
      const double grows = received_seconds(of_many, network) / received_seconds(of_few, network);
      holds = holds && (gathers(spec) ? grows > 2 : grows < 1.5);
      text += fmt::format(" {:.2f}", grows);
    }
    text += fmt::format(
        " (decoding {} and {}, encoding {})", milliseconds_text(decode_seconds(of_many)),
        milliseconds_text(decode_seconds(of_few)), milliseconds_text(encode_seconds(of_many)));
  }
  return {.verdict = holds_if(holds), .measured = text};
}

// value(row of a method, network) of all methods over the workers, a chart for each network.
template <class Value>
Charts charts_by_network(const Rows& rows, Scale scale, const char* title,
                         const run::ChartAxis& y_axis, Value value) {
  Charts charts;
  for (const char* network : {kFastNetwork, kSlowNetwork}) {
    charts.push_back(chart(
        fmt::format("{}, {}", title, network),
        {.label = "workers", .logarithmic = true, .text = plain}, y_axis, worker_axis(scale),
        {std::begin(kAllScaled), std::end(kAllScaled)}, [&](std::size_t i, std::size_t k) {
          return value(timed_method(rows[kCodedTimes], kAllScaled[i], scaled_workers(scale)[k]),
                       network);
        }));
  }
  return charts;
}

Charts draw_received_times(const Rows& rows, Scale scale) {
  return charts_by_network(rows, scale, "Exchange of ResNet-18's gradients and decoding",
                           {.label = "ms", .logarithmic = true, .text = plain},
                           [](const json& method, const char* network) {
                             return 1e3 * received_seconds(method, network);
                           });
}

// ---- scaling-speed ------------------------------------------------------------------------------

// How many times as fast an epoch is as with one worker, which has no exchange.
double speedup(const json& method, const char* network, double compute) {
  return method.at("workers").get<double>() * compute /
         (compute + exchange_seconds(method, network));
}

Finding only_powersgd_keeps_scaling(const Rows& rows, Scale scale) {
  check_cpu_of_compute(rows, kCodedTimes, "scaling-speed");
  const auto& times = rows[kCodedTimes];
  const auto many = scaled_workers(scale).back();
  const double on_cpu = compute_seconds(rows), half = static_cast<double>(many) / 2;
  bool holds = true;
  auto text = fmt::format(
      "with {} workers and 1 Gbit/s, without overlap, an epoch is so many times as fast as with "
      "one "
      "worker",
      many);
  for (const char* spec : kFigure3) {
    const auto& method = timed_method(times, spec, many);
    const double of_paper = speedup(method, kSlowNetwork, kPaperCompute);
    holds = holds && (of_paper > half) == (spec == std::string_view(kFigure3[1]));
    text += fmt::format("; {}: {:.1f} with 200 ms of forward and backward, {:.1f} with {:.2f} s",
                        spec, of_paper, speedup(method, kSlowNetwork, on_cpu), on_cpu);
    text += fmt::format(" ({:.1f} and {:.1f} with 10 Gbit/s)",
                        speedup(method, kFastNetwork, kPaperCompute),
                        speedup(method, kFastNetwork, on_cpu));
  }
  return {.verdict = holds_if(holds), .measured = text};
}

Charts draw_speedup(const Rows& rows, Scale scale) {
  return charts_by_network(rows, scale, "Epochs against one worker, 200 ms a gradient",
                           {.label = "times as fast", .logarithmic = true, .text = plain},
                           [](const json& method, const char* network) {
                             return speedup(method, network, kPaperCompute);
                           });
}

}  // namespace

void add_scaling_claims(Paper& paper, Scale scale) {
  paper.experiments.push_back(network_times(scale));
  paper.experiments.push_back(coded_times(scale));
  paper.claims.push_back(
      {.name = "scaling",
       .claimed =
           "Figure 3: time of all-reduce hardly grows with W, that of a gathered method does",
       .experiments = {kNetworkTimes},
       .decide = [scale](const Rows& rows) { return gathers_grow(rows, scale); },
       .draw = [scale](const Rows& rows) { return draw_network_times(rows, scale); }});
  paper.claims.push_back(
      {.name = "scaling-gathered",
       .claimed = "the time of every gathered operator grows with W, decoding included",
       .experiments = {kCodedTimes},
       .decide = [scale](const Rows& rows) { return gathers_and_decoding_grow(rows, scale); },
       .draw = [scale](const Rows& rows) { return draw_received_times(rows, scale); }});
  paper.claims.push_back(
      {.name = "scaling-speed",
       .claimed = "Figure 3: on the slow back-end only PowerSGD keeps scaling",
       .experiments = {kCodedTimes, std::string(kComputeRow)},
       .decide = [scale](const Rows& rows) { return only_powersgd_keeps_scaling(rows, scale); },
       .draw = [scale](const Rows& rows) { return draw_speedup(rows, scale); }});
}

}  // namespace terse::paper
