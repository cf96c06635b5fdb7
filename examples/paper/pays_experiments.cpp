#include "examples/paper/pays_experiments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "examples/paper/exchange_time.hpp"
#include "examples/run/interruption.hpp"
#include "examples/run/shape_list.hpp"
#include "examples/run/step_time.hpp"
#include "examples/run/task.hpp"
#include "examples/run/training.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

constexpr int kOverlappedBuckets = 5;

std::string network_of(double bits_per_second) {
  return fmt::format("{:.0f}bps,20us", bits_per_second);
}

// Seconds of forward and backward of the global batch.
double measured_compute(const Setting& setting, const run::Dataset& data, std::int64_t steps) {
  auto config = setting.config;
  config.batch = global_batch(setting);
  config.workers = 1;
  config.topology = run::RunTopology::local;
  config.steps = steps;
  config.eval_every = 0;
  config.threads = 1;
  run::complete(config);
  return run::train(config, data, {}).step_times[Part::compute];
}

// The network's seconds by bandwidth that the compute time does not hide.
std::vector<double> exposed_seconds(run::SyntheticGradients& gradients, TimedMethod method,
                                    double compute, const std::vector<double>& rates) {
  // After backward the time is affine in 1/rate, so that of two rates gives it for all.
  method.coding_runs = 0;
  method.networks = {network_of(rates.front()), network_of(rates.back())};
  const auto after = time_exchange(gradients, method);
  const double slowest = network_seconds(after, method.networks.front());
  const double fastest = network_seconds(after, method.networks.back());
  const double bits = (slowest - fastest) / (1 / rates.front() - 1 / rates.back());
  std::vector<double> seconds;
  for (const double rate : rates) seconds.push_back(fastest + bits * (1 / rate - 1 / rates.back()));
  if (make_compressor(method.spec)->traits(0).whole_model) return seconds;
  method.networks.clear();
  for (const double rate : rates) method.networks.push_back(network_of(rate));
  method.compute = compute;
  method.buckets = kOverlappedBuckets;
  const auto overlapped = time_exchange(gradients, method);
  for (std::size_t k = 0; k < rates.size(); ++k) {
    seconds[k] = std::min(seconds[k], network_seconds(overlapped, method.networks[k]));
  }
  return seconds;
}

}  // namespace

std::vector<double> bandwidths(Scale scale) {
  if (scale == Scale::quick) return {10e6, 1e9, 100e9};
  return {10e6, 30e6, 100e6, 300e6, 1e9, 3e9, 10e9, 30e9, 100e9};
}
std::int64_t global_batch(const Setting& setting) {
  return setting.config.batch * setting.config.workers;
}
std::vector<std::int64_t> worker_counts(const Setting& setting, Scale scale) {
  std::vector<std::int64_t> counts;
  const std::int64_t most = scale == Scale::quick ? 4 : 64;
  for (std::int64_t workers = 2; workers <= std::min(most, global_batch(setting)); workers *= 2) {
    counts.push_back(workers);
  }
  return counts;
}

std::string step_times_row(const Setting& setting) {
  return "times/steps-" + setting.name;
}

Experiment step_times_of(const Setting& setting, const std::vector<Method>& methods, Scale scale) {
  const auto rates = bandwidths(scale);
  const auto workers = worker_counts(setting, scale);
  const int coding_runs = scale == Scale::whole ? 3 : 1;
  const std::int64_t compute_steps = scale == Scale::whole ? 6 : 2;
  json specs = json::object();
  for (const auto& method : methods) specs[method.name] = method.compressor;
  return {.name = step_times_row(setting),
          .configuration = {{"model", setting.config.model},
                            {"data", setting.config.data},
                            {"batch", global_batch(setting)},
                            {"methods", specs},
                            {"workers", workers},
                            {"bandwidths", rates},
                            {"buckets", kOverlappedBuckets},
                            {"coding_runs", coding_runs},
                            {"compute_steps", compute_steps},
                            {"revision", 1}},
          .seconds = setting.config.model == "lstm" ? 480.0 : 120.0,
          .measure =
              [=](const Rows&) {
                const auto data = run::load_data(setting.config);
                const double compute = measured_compute(setting, data, compute_steps);
                run::SyntheticGradients gradients(
                    run::shapes_of(run::make_task(setting.config, data, 0, 1, 0)->model()),
                    workers.back(), 1);
                json rows = json::array();
                for (const auto& method : methods) {
                  for (const auto count : workers) {
                    run::throw_if_interrupted();
                    const TimedMethod timed{.spec = method.compressor,
                                            .workers = count,
                                            .networks = {},
                                            .coding_runs = coding_runs};
                    rows.push_back({{"name", method.name},
                                    {"workers", count},
                                    {"coding", coding_seconds(time_exchange(gradients, timed))},
                                    {"network", exposed_seconds(
                                                    gradients, timed,
                                                    compute / static_cast<double>(count), rates)}});
                  }
                }
                return json{{"compute", compute}, {"methods", rows}};
              },
          .data = setting.config.data};
}

double step_seconds(const json& row, const std::string& method, std::int64_t workers,
                    std::size_t bandwidth) {
  const auto& methods = row.at("methods");
  const auto found = std::ranges::find_if(methods, [&](const json& one) {
    return one.at("name") == method && one.at("workers") == workers;
  });
  check<InternalError>(found != methods.end(), "no step times of {}, {} workers", method, workers);
  return row.at("compute").get<double>() / static_cast<double>(workers) +
         found->at("coding").get<double>() + found->at("network").at(bandwidth).get<double>();
}

}  // namespace terse::paper
