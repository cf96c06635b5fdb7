#include "examples/report/traffic.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "examples/report/packet_sizes.hpp"
#include "examples/run/shape_list.hpp"
#include "examples/run/step_time.hpp"
#include "examples/run/task.hpp"
#include "tersegrad/comm/collectives/all_reduce.hpp"
#include "tersegrad/comm/topology/bucket.hpp"
#include "tersegrad/core/buffer.hpp"

namespace terse::run {
namespace {

constexpr double kHeader = Packet::kHeaderBytes;

double values_of(const std::vector<MatrixShape>& shapes) {
  double n = 0;
  for (const auto& shape : shapes) n += static_cast<double>(shape.rows * shape.cols);
  return n;
}

double payload_of(const std::vector<PhaseBytes>& phases) {
  return std::accumulate(phases.begin(), phases.end(), 0.0,
                         [](double sum, const PhaseBytes& phase) { return sum + phase.up; });
}

// Messages of an all-reduce by all workers together: the table in all_reduce.hpp.
double all_reduce_messages(const RunConfig& c, double bytes) {
  const auto w = static_cast<double>(c.workers);
  auto kind = c.all_reduce.value();
  if (kind == AllReduce::automatic) {
    kind = best_all_reduce(static_cast<int>(c.workers), static_cast<std::size_t>(bytes),
                           topology_options(c).link);
  }
  if (kind == AllReduce::tree) return 2 * (w - 1);
  if (kind == AllReduce::ring) return 2 * w * (w - 1);
  const double levels = std::floor(std::log2(w)), core = std::exp2(levels);
  return 2 * core * levels + 2 * (w - core);
}

// Messages of a worker in an exchange, mean over workers: the table in topology.hpp.
double messages_of(const RunConfig& c, const PhaseBytes& phase) {
  const auto w = static_cast<double>(c.workers), servers = static_cast<double>(c.servers);
  if (c.is_async()) return 1;
  if (c.topology == RunTopology::local || w <= 1) return 0;
  if (c.topology == RunTopology::server) return 2 * servers * (w - 1) / w;
  if (phase.kind == "linear") return all_reduce_messages(c, phase.up) / w;
  return phase.kind == "sliceable" ? 2 * (w - 1) : w - 1;
}

// The same for all phases and buckets of a step.
double messages_of(const RunConfig& c, const std::vector<PhaseBytes>& phases,
                   const std::vector<MatrixShape>& shapes) {
  double messages = 0;
  for (const auto& phase : phases) messages += messages_of(c, phase);
  if (bucket_bytes(c) == 0) return messages;
  Buffer<float> sizes(static_cast<std::int64_t>(values_of(shapes)));  // its values are never read
  const auto buckets = cut_from_the_end(views_of(sizes.span(), shapes), bucket_bytes(c));
  return messages * static_cast<double>(buckets.size());
}

// What `none` would send per step.
double uncompressed_bytes(const RunConfig& c, const std::vector<MatrixShape>& shapes) {
  const PhaseBytes plain{.kind = "linear", .up = 4 * values_of(shapes)};
  const auto w = static_cast<double>(c.workers);
  const double headers = kHeader * messages_of(c, {plain}, shapes);
  if (c.is_async()) return plain.up + headers;
  if (c.topology == RunTopology::local) return 0;
  return 2 * (w - 1) / w * plain.up + headers;
}

// Every tensor is encoded alone, by a compressor of its own. A method that chooses among the
// entries of several tensors may send another number of them when it sees the whole model.
nlohmann::json bytes_by_tensor(const RunConfig& c, const std::vector<MatrixShape>& shapes,
                               std::uint64_t step) {
  auto list = nlohmann::json::array();
  for (const auto& shape : shapes) {
    list.push_back({{"tensor", shape.name},
                    {"values", shape.rows * shape.cols},
                    {"payload", payload_of(packet_sizes(c, {shape}, step))}});
  }
  return list;
}

// Bytes that a worker sends per step, headers and forwarding included, mean over workers.
double sent_per_step(const RunConfig& c, const LogData& log) {
  if (c.is_async()) return log.message_bytes + kHeader;  // a step is a push
  if (!log.evaluations.empty()) {
    const auto& last = log.evaluations.back().cells;
    if (last[LogData::kTestStep] > 0) {
      return last[LogData::kTestBytes] / last[LogData::kTestStep];
    }
  }
  if (log.steps.empty()) return 0;
  const auto& last = log.steps.back().cells;
  return last[LogData::kBytes] / last[LogData::kStep];
}

nlohmann::json exchange_json(const RunConfig& c, const std::vector<PhaseBytes>& phases,
                             double uncompressed) {
  auto list = nlohmann::json::array();
  for (const auto& phase : phases) {
    list.push_back({{"kind", phase.kind}, {"up", phase.up}, {"down", phase.down}});
  }
  return {{"all_reduce", c.all_reduce.name()},
          {"servers", c.servers},
          {"header", Packet::kHeaderBytes},
          {"phases", std::move(list)},
          {"uncompressed_bytes", uncompressed}};
}

// The sizes of packets can depend on the gradients: they are adjusted to those that were counted.
void adjust(std::vector<PhaseBytes>& phases, const LogData& log) {
  const double encoded = payload_of(phases);
  if (encoded == 0 || log.message_bytes == 0 || encoded == log.message_bytes) return;
  for (auto& phase : phases) {
    phase.up *= log.message_bytes / encoded;
    phase.down *= log.message_bytes / encoded;
  }
}

}  // namespace

const std::vector<MatrixShape>& ModelShapes::of(const RunConfig& config) {
  const auto key = config.model + '\n' + config.data;
  const auto known = known_.find(key);
  if (known != known_.end()) return known->second;
  auto alone = config;
  alone.workers = 1;
  alone.batch = 1;
  alone.partition = "iid";
  const auto data = load_data(alone);
  const auto task = make_task(alone, data, 0, 1, 0);
  return known_[key] = shapes_of(task->model());
}

Traffic traffic_of(const RunConfig& config, const std::vector<MatrixShape>& shapes,
                   const LogData& log) {
  const auto last = static_cast<std::uint64_t>(std::max(1.0, log.last_step)) - 1;
  auto phases = packet_sizes(config, shapes, last);
  const double whole = 4 * values_of(shapes);
  for (auto& phase : phases) {
    if (config.is_async()) phase = {.kind = "gather", .up = phase.up, .down = whole};
  }
  adjust(phases, log);
  // Local SGD exchanges in one of several steps.
  const auto steps = static_cast<double>(std::max<std::int64_t>(1, config.local_steps));
  const double sent = sent_per_step(config, log);
  const double headers = std::min(sent, kHeader * messages_of(config, phases, shapes) / steps);
  const double payload = std::min(sent - headers, payload_of(phases) / steps);
  return {.exchange = exchange_json(config, phases, whole),
          .bytes = {{"per_step", sent},
                    {"payload", payload},
                    {"headers", headers},
                    {"forwarding", sent - headers - payload},
                    {"uncompressed", uncompressed_bytes(config, shapes)},
                    {"by_tensor", bytes_by_tensor(config, shapes, last)}}};
}

}  // namespace terse::run
