#include "examples/run/step_time.hpp"

#include <algorithm>
#include <limits>
#include <mutex>
#include <utility>

#include "tersegrad/comm/topology/topology.hpp"
#include "tersegrad/comm/training/overlap.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse::run {

SyntheticGradients::SyntheticGradients(std::vector<MatrixShape> shapes, std::int64_t workers,
                                       std::uint64_t seed)
    : shapes_(std::move(shapes)), numel_(0) {
  for (const auto& shape : shapes_) numel_ += shape.rows * shape.cols;
  for (std::int64_t worker = 0; worker < workers; ++worker) {
    Philox random(seed,
                  {.purpose = Purpose::synthetic, .worker = static_cast<std::uint32_t>(worker)});
    for (auto& value : workers_.emplace_back(numel_).span()) value = random.normal();
  }
}

std::vector<GradView> views_of(std::span<float> values, const std::vector<MatrixShape>& shapes) {
  std::vector<GradView> views;
  std::size_t offset = 0;
  for (const auto& shape : shapes) {
    const auto n = static_cast<std::size_t>(shape.rows * shape.cols);
    views.push_back({.id = static_cast<std::uint32_t>(views.size()),
                     .rows = shape.rows,
                     .cols = shape.cols,
                     .kernel = shape.kernel,
                     .data = values.subspan(offset, n)});
    offset += n;
  }
  return views;
}

constexpr double kOneBucket = std::numeric_limits<double>::infinity();

StepTime time_step(const RunConfig& config, SyntheticGradients& gradients, std::int64_t steps,
                   LocalWork local_work) {
  const TopologyPlan plan(topology_options(config), *make_compressor(config.compressor));
  const double compute = parse_seconds(config.compute.value_or("0s"));
  const double bucket_bytes =
      config.bucket_mb.value_or(0) > 0 ? run::bucket_bytes(config) : kOneBucket;
  const auto workers = static_cast<int>(config.workers);
  StepTime mean_step;
  std::mutex mutex;
  std::vector<double> ends(static_cast<std::size_t>(steps));  // of the last worker, each step
  run_workers({.workers = workers,
               .virtual_time = VirtualTime{.network = parse_network(*config.network),
                                           .local_work = local_work,
                                           .seed = config.seed}},
              [&](Worker& me) {
                const auto compressor = make_compressor(config.compressor);
                const auto topology = plan.join(me);
                Buffer<float> mean(gradients.numel());
                const auto own = views_of(gradients.of(me.rank()), gradients.shapes());
                const auto out = views_of(mean.span(), gradients.shapes());
                std::uint64_t message_bytes = 0;
                Round round{.seed = config.seed, .lr = 0.1F};
                Overlap overlap(me, own, {.bucket_bytes = bucket_bytes, .compute = compute},
                                [&](const Bucket& bucket) {
                                  const auto to = bucket.of(out);
                                  topology->run(
                                      *compressor, bucket.of(round), bucket.of(own), to,
                                      [&](const GradientSource& m) { materialize(m, to); });
                                  message_bytes += topology->message_bytes();
                                });
                const auto step = [&](std::int64_t number) {
                  round.step = static_cast<std::uint64_t>(number);
                  message_bytes = 0;
                  overlap.finish();
                };
                step(0);  // pays for memory
                me.reset_accounts();
                const double hidden = overlap.hidden_seconds();
                for (std::int64_t k = 0; k < steps; ++k) {
                  me.barrier();  // costs no time
                  const double start = me.virtual_clock()->now();
                  step(k + 1);
                  const std::lock_guard lock(mutex);
                  double& end = ends[static_cast<std::size_t>(k)];
                  end = std::max(end, me.virtual_clock()->now() - start);
                }
                const std::lock_guard lock(mutex);
                for (std::size_t i = 0; i < kPhases; ++i) {
                  mean_step.phases.seconds[i] +=
                      me.virtual_times().seconds[i] / static_cast<double>(workers * steps);
                }
                mean_step.sent.bytes_sent += me.counters().bytes_sent;
                mean_step.sent.payload_bytes_sent += me.counters().payload_bytes_sent;
                mean_step.sent.messages_sent += me.counters().messages_sent;
                mean_step.hidden_seconds +=
                    (overlap.hidden_seconds() - hidden) / static_cast<double>(workers * steps);
                if (me.rank() == 0) mean_step.message_bytes = message_bytes;
              });
  const auto each = static_cast<std::uint64_t>(steps);
  mean_step.sent.bytes_sent /= each;
  mean_step.sent.payload_bytes_sent /= each;
  mean_step.sent.messages_sent /= each;
  for (const double end : ends) mean_step.seconds += end / static_cast<double>(steps);
  return mean_step;
}

}  // namespace terse::run
