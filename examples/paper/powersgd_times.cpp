#include "examples/paper/powersgd_times.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "examples/paper/exchange_time.hpp"
#include "examples/paper/powersgd_scaling.hpp"
#include "examples/paper/statistics.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

constexpr const char* kStepTimes = "times/resnet18-operators";
constexpr const char* kAtomoTimes = "times/resnet18-atomo";

// Table 4: operators with as many bytes as PowerSGD of rank 7 and of rank 2, which send about a
// 32nd and a 128th.
constexpr const char* kOperators[] = {
    "powersgd:rank=7+ef", "randomblock:rank=7+ef", "randomk:rank=7+ef",     "sign+ef",
    "topk:rank=7+ef",     "powersgd:rank=2+ef",    "randomblock:rank=2+ef", "randomk:rank=2+ef",
    "topk:rank=2+ef"};
// Table 3.
constexpr const char* kRanks[] = {"powersgd:rank=1+ef", "powersgd:rank=2+ef", "powersgd:rank=4+ef"};

Experiment step_times(Scale scale) {
  std::vector<TimedMethod> methods = {{.spec = "none", .networks = {kFastNetwork, kSlowNetwork}}};
  const auto add = [&](const char* spec) {
    if (std::ranges::find(methods, spec, &TimedMethod::spec) != methods.end()) return;
    methods.push_back({.spec = spec, .networks = {kFastNetwork, kSlowNetwork}});
  };
  for (const char* spec : kRanks) add(spec);
  for (const char* spec : kOperators) add(spec);
  return exchange_times(kStepTimes, "resnet18", std::move(methods), 300, scale);
}

// ---- step-time, fast-operators ------------------------------------------------------------------

// In percent of the step of `none`, 10 Gbit/s.
double saved_percent(const json& times, const char* spec, double compute) {
  const double plain = exchange_seconds(timed_method(times, "none"), kFastNetwork);
  const double own = exchange_seconds(timed_method(times, spec), kFastNetwork);
  return 100 * (own - plain) / (compute + plain);
}

Finding steps_are_shorter(const Rows& rows) {
  check_cpu_of_compute(rows, kStepTimes, "step-time");
  const auto& times = rows[kStepTimes];
  const double compute = compute_seconds(rows);
  const double plain = exchange_seconds(timed_method(times, "none"), kFastNetwork);
  bool shorter = true;
  std::string text = "exchange of ResNet-18's gradient, 16 workers, 10 Gbit/s: of none " +
                     milliseconds_text(plain);
  for (const char* spec : kRanks) {
    const auto& method = timed_method(times, spec);
    shorter = shorter && exchange_seconds(method, kFastNetwork) < plain;
    text += fmt::format(
        "; of {} {}, coding being {} of it: the step's time changes by {} % with this CPU's "
        "forward and backward, by {} % with 200 ms, about those of the paper's GPU",
        spec, milliseconds_text(exchange_seconds(method, kFastNetwork)),
        milliseconds_text(coding_seconds(method)),
        number_text(saved_percent(times, spec, compute), 1),
        number_text(saved_percent(times, spec, kPaperCompute), 1));
  }
  text += fmt::format("; forward and backward of {} images here: {:.2f} s on one thread",
                      rows[std::string(kComputeRow)].at("batch").get<int>(), compute);
  return {.verdict = holds_if(shorter), .measured = text};
}

Finding only_two_are_faster(const Rows& rows) {
  const auto& times = rows[kStepTimes];
  const double plain = exchange_seconds(timed_method(times, "none"), kFastNetwork);
  bool as_stated = true;
  std::string text = fmt::format("ms of an exchange (of which coding): none {:.1f}", 1e3 * plain);
  for (const char* spec : kOperators) {
    const auto& method = timed_method(times, spec);
    const double seconds = exchange_seconds(method, kFastNetwork);
    const bool stated_faster = std::string_view(spec).starts_with("powersgd") ||
                               std::string_view(spec).starts_with("randomblock");
    as_stated = as_stated && (seconds < plain) == stated_faster;
    text += fmt::format("; {} {:.1f} ({:.1f})", spec, 1e3 * seconds, 1e3 * coding_seconds(method));
  }
  return {.verdict = holds_if(as_stated), .measured = text};
}

// ---- slow-network, time-split -------------------------------------------------------------------

Finding slow_network_widens(const Rows& rows) {
  check_cpu_of_compute(rows, kStepTimes, "step-time");
  const auto& times = rows[kStepTimes];
  const auto ratio = [&](const char* network, double compute) {
    return (compute + exchange_seconds(timed_method(times, "none"), network)) /
           (compute + exchange_seconds(timed_method(times, "powersgd:rank=2+ef"), network));
  };
  bool widens = true;
  std::string text;
  for (const double compute : {compute_seconds(rows), kPaperCompute}) {
    widens = widens && ratio(kSlowNetwork, compute) > ratio(kFastNetwork, compute);
    text += fmt::format(
        "{}step of none / rank 2 with {:.3g} s of forward and backward: {:.3f} on 1 "
        "Gbit/s, {:.3f} on 10 Gbit/s",
        text.empty() ? "" : "; ", compute, ratio(kSlowNetwork, compute),
        ratio(kFastNetwork, compute));
  }
  return {.verdict = holds_if(widens), .measured = text};
}

// Coding's share of a step in percent, run by run.
Interval coding_share(const Rows& rows, const std::vector<double>& compute) {
  const auto& method = timed_method(rows[kStepTimes], "powersgd:rank=2+ef");
  std::vector<double> shares;
  for (std::size_t k = 0; k < std::min(compute.size(), method.at("encode").size()); ++k) {
    const double coding =
        method.at("encode").at(k).get<double>() + method.at("decode").at(k).get<double>();
    shares.push_back(100 * coding / (compute[k] + network_seconds(method, kFastNetwork) + coding));
  }
  return interval_of(shares);
}

Finding coding_is_short(const Rows& rows) {
  check_cpu_of_compute(rows, kStepTimes, "step-time");
  const auto compute = compute_runs(rows);
  auto finding = below(coding_share(rows, compute), 10, 2, "encode + decode, % of a step");
  finding.measured += fmt::format(
      "; beside 200 ms of forward and backward, a GPU's, this CPU's coding would be {} %",
      text_of(coding_share(rows, std::vector<double>(compute.size(), kPaperCompute)), 1));
  const auto& method = timed_method(rows[kStepTimes], "powersgd:rank=2+ef");
  finding.measured += fmt::format(
      "; a step of 16 workers, 10 Gbit/s: forward and backward {:.2f} s, encoding {}, network {}, "
      "decoding {}",
      compute_seconds(rows), milliseconds_text(encode_seconds(method)),
      milliseconds_text(network_seconds(method, kFastNetwork)),
      milliseconds_text(decode_seconds(method)));
  return finding;
}

}  // namespace

void add_time_claims(Paper& paper, Scale scale) {
  paper.experiments.push_back(compute_on_this_cpu(scale));
  paper.experiments.push_back(step_times(scale));
  const std::vector<std::string> steps = {kStepTimes, std::string(kComputeRow)};
  paper.claims.push_back(
      {.name = "step-time",
       .claimed = "Table 3: a step takes less time than SGD's (16 to 26 % less in the paper)",
       .experiments = steps,
       .decide = steps_are_shorter});
  paper.claims.push_back(
      {.name = "fast-operators",
       .claimed = "Table 4: of the operators only PowerSGD and random blocks are faster than SGD",
       .experiments = {kStepTimes},
       .decide = only_two_are_faster});
  add_scaling_claims(paper, scale);
  paper.claims.push_back({.name = "slow-network",
                          .claimed = "a slow back-end widens PowerSGD's lead over SGD",
                          .experiments = steps,
                          .decide = slow_network_widens});
  paper.claims.push_back({.name = "time-split",
                          .claimed = "Table 5: coding takes a small part of a step",
                          .experiments = steps,
                          .decide = coding_is_short});
}

Experiment atomo_times(Scale scale) {
  const auto of = [](const char* spec) {
    return TimedMethod{.spec = spec, .workers = 2, .networks = {}, .coding_runs = 3};
  };
  return exchange_times(kAtomoTimes, "resnet18", {of("powersgd:rank=2"), of("atomo:rank=2")}, 30,
                        scale);
}

double atomo_encoding_ratio(const Rows& rows) {
  const auto& times = rows[kAtomoTimes];
  return encode_seconds(timed_method(times, "atomo:rank=2")) /
         encode_seconds(timed_method(times, "powersgd:rank=2"));
}

}  // namespace terse::paper
