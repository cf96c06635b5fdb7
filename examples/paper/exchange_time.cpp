#include "examples/paper/exchange_time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "examples/paper/row_values.hpp"
#include "examples/run/interruption.hpp"
#include "examples/run/shape_list.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/ops.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/nn/models.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

constexpr const char* kNoCost = "1000Tbps,0s";  // a network that takes no time

// One thread for the whole process, for as long as this object lives.
class OneThread {
 public:
  OneThread() { set_thread_count(1); }
  ~OneThread() { set_thread_count(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_ = thread_count();
};

run::RunConfig config_of(const TimedMethod& method, const std::string& network) {
  run::RunConfig config;
  config.compressor = method.spec;
  config.workers = method.workers;
  config.network = network;
  config.all_reduce = parse_all_reduce(method.all_reduce);
  config.threads = 1;
  run::complete(config);
  return config;
}

}  // namespace

json time_exchange(run::SyntheticGradients& gradients, const TimedMethod& method) {
  const OneThread one;
  json row = {
      {"spec", method.spec},       {"workers", method.workers}, {"all_reduce", method.all_reduce},
      {"network", json::object()}, {"encode", json::array()},   {"decode", json::array()}};
  for (const auto& network : method.networks) {
    auto config = config_of(method, network);
    if (method.buckets > 1) {
      const auto bytes = 4e-6 * static_cast<double>(gradients.numel());
      config.bucket_mb = bytes / static_cast<double>(method.buckets);
      config.compute = fmt::format("{:.9f}s", method.compute);
    }
    const auto time = run::time_step(config, gradients, 1, LocalWork::declared);
    row["network"][network] = time.seconds - (method.buckets > 1 ? method.compute : 0);
    row["payload_bytes"] = time.message_bytes;
    row["bytes_sent_per_worker"] =
        static_cast<double>(time.sent.bytes_sent) / static_cast<double>(method.workers);
  }
  for (int k = 0; k < method.coding_runs; ++k) {
    const auto time = run::time_step(config_of(method, kNoCost), gradients, 1, LocalWork::measured);
    row["encode"].push_back(time.parts[Part::encode]);
    row["decode"].push_back(time.parts[Part::decode]);
  }
  return row;
}

json time_exchange(const std::vector<MatrixShape>& shapes, const TimedMethod& method) {
  run::SyntheticGradients gradients(shapes, method.workers, 1);
  return time_exchange(gradients, method);
}

namespace {

double median(const json& array) {
  auto values = numbers(array);
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::ranges::nth_element(values, middle);
  return *middle;
}

bool is_coded(const json& method) {
  const std::string spec = method.at("spec");
  return spec != "none" && !spec.starts_with("none+");
}

double seconds_of_forward_and_backward(std::int64_t batch) {
  nn::Init init(1);
  const auto model =
      nn::make_model("resnet18", {.channels = 3, .height = 32, .width = 32, .classes = 10}, init);
  auto images = Tensor::zeros({batch, 3, 32, 32});
  Philox random(1, {.purpose = Purpose::synthetic});
  for (auto& value : images.data_mut()) value = random.normal();
  std::vector<std::int32_t> labels(static_cast<std::size_t>(batch));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int32_t>(i % 10);
  const auto step = [&] { cross_entropy((*model)(images), labels).backward(); };
  step();  // allocates memory
  const auto start = std::chrono::steady_clock::now();
  step();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Experiment exchange_times(std::string name, std::string shapes, std::vector<TimedMethod> methods,
                          double seconds, Scale scale) {
  json configuration = {{"shapes", shapes}, {"methods", json::array()}, {"revision", 1}};
  for (auto& method : methods) {
    if (scale == Scale::quick) {
      shapes = "lenet";
      method.workers = std::min<std::int64_t>(method.workers, 4);
      method.coding_runs = std::min(method.coding_runs, 1);
    }
    configuration["methods"].push_back({{"spec", method.spec},
                                        {"workers", method.workers},
                                        {"networks", method.networks},
                                        {"all_reduce", method.all_reduce},
                                        {"coding_runs", method.coding_runs}});
  }
  return {.name = std::move(name),
          .configuration = std::move(configuration),
          .seconds = seconds,
          .measure = [=](const Rows&) {
            const OneThread one;
            std::int64_t most = 0;
            for (const auto& method : methods) most = std::max(most, method.workers);
            run::SyntheticGradients gradients(run::parse_shapes(shapes), most, 1);
            json rows = json::array();
            for (const auto& method : methods) {
              run::throw_if_interrupted();
              rows.push_back(time_exchange(gradients, method));
            }
            return json{{"methods", rows}};
          }};
}

const json& timed_method(const json& row, std::string_view spec, std::int64_t workers,
                         std::string_view all_reduce) {
  const auto& methods = row.at("methods");
  const auto found = std::ranges::find_if(methods, [&](const json& method) {
    return method.at("spec") == spec && method.at("all_reduce") == all_reduce &&
           (workers == 0 || method.at("workers") == workers);
  });
  check<InternalError>(found != methods.end(), "no times of '{}', {} workers", spec, workers);
  return *found;
}

double network_seconds(const json& method, const std::string& network) {
  return method.at("network").at(network);
}
double encode_seconds(const json& method) {
  return is_coded(method) ? median(method.at("encode")) : 0;
}
double decode_seconds(const json& method) {
  return is_coded(method) ? median(method.at("decode")) : 0;
}
double coding_seconds(const json& method) {
  return encode_seconds(method) + decode_seconds(method);
}
double exchange_seconds(const json& method, const std::string& network) {
  return network_seconds(method, network) + coding_seconds(method);
}
std::string milliseconds_text(double seconds) {
  return fmt::format("{:.{}f} ms", 1e3 * seconds, seconds < 0.1 ? 1 : 0);
}

Experiment compute_on_this_cpu(Scale scale) {
  const std::int64_t batch = scale == Scale::whole ? 128 : 2;
  const int runs = scale == Scale::whole ? 3 : 1;
  return {.name = std::string(kComputeRow),
          .configuration = {{"batch", batch}, {"runs", runs}, {"revision", 1}},
          .seconds = 60,
          .measure = [=](const Rows&) {
            const OneThread one;
            json seconds = json::array();
            for (int k = 0; k < runs; ++k) {
              run::throw_if_interrupted();
              seconds.push_back(seconds_of_forward_and_backward(batch));
            }
            return json{{"seconds", seconds}, {"batch", batch}};
          }};
}
double compute_seconds(const Rows& rows) {
  return median(rows[std::string(kComputeRow)].at("seconds"));
}
void check_cpu_of_compute(const Rows& rows, const std::string& exchange_row, const char* claim) {
  const auto& of_exchange = rows.row(exchange_row).cpu;
  const auto& of_compute = rows.row(std::string(kComputeRow)).cpu;
  check(of_exchange == of_compute,
        "a step combines times of two CPUs: {} was measured on {}, {} on {}; measure both on one: "
        "paper 1905.13727 --claim {} --again",
        exchange_row, of_exchange, kComputeRow, of_compute, claim);
}
std::vector<double> compute_runs(const Rows& rows) {
  return numbers(rows[std::string(kComputeRow)].at("seconds"));
}

}  // namespace terse::paper
