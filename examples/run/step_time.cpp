#include "examples/run/step_time.hpp"

#include <algorithm>
#include <limits>
#include <memory>
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

namespace {

// A worker that takes steps.
class StepWorker {
 public:
  StepWorker(Worker& me, const RunConfig& config, const TopologyPlan& plan,
             SyntheticGradients& gradients)
      : me_(me),
        compressor_(make_compressor(config.compressor)),
        topology_(plan.join(me)),
        mean_memory_(gradients.numel()),
        gradient_(views_of(gradients.of(me.rank()), gradients.shapes())),
        mean_(views_of(mean_memory_.span(), gradients.shapes())),
        round_{.seed = config.seed, .lr = 0.1F},
        overlap_(me, gradient_,
                 {.bucket_bytes = bucket_bytes(config) > 0 ? bucket_bytes(config) : kOneBucket,
                  .compute = parse_seconds(config.compute.value_or("0s"))},
                 [this](const Bucket& bucket) { exchange(bucket); }) {}

  void step(std::int64_t number) {
    round_.step = static_cast<std::uint64_t>(number);
    message_bytes_ = 0;
    overlap_.finish();
  }
  double timed_step(std::int64_t number) {
    me_.barrier();  // takes no virtual time
    const double start = me_.virtual_clock()->now();
    step(number);
    return me_.virtual_clock()->now() - start;
  }
  // Forgets what the steps so far have cost.
  void reset() {
    me_.reset_accounts();
    hidden_before_ = overlap_.hidden_seconds();
  }
  // Adds the times divided by `divisor`, and the counters undivided.
  void add_to(StepTime& sum, double divisor) const {
    for (std::size_t i = 0; i < kParts; ++i) {
      sum.parts.seconds[i] += me_.virtual_times().seconds[i] / divisor;
    }
    sum.sent.bytes_sent += me_.counters().bytes_sent;
    sum.sent.payload_bytes_sent += me_.counters().payload_bytes_sent;
    sum.sent.messages_sent += me_.counters().messages_sent;
    sum.hidden_seconds += (overlap_.hidden_seconds() - hidden_before_) / divisor;
    if (me_.rank() == 0) sum.message_bytes = message_bytes_;
  }

 private:
  static constexpr double kOneBucket = std::numeric_limits<double>::infinity();

  void exchange(const Bucket& bucket) {
    const auto mean = bucket.of(mean_);
    topology_->run(*compressor_, bucket.of(round_), bucket.of(gradient_), mean,
                   [&](const GradientSource& source) {
                     const auto timed = me_.time(Part::decode);  // packets may be decoded here
                     materialize(source, mean);
                   });
    message_bytes_ += topology_->message_bytes();
  }

  Worker& me_;
  std::unique_ptr<Compressor> compressor_;
  std::unique_ptr<Topology> topology_;
  Buffer<float> mean_memory_;
  std::vector<GradView> gradient_, mean_;
  Round round_;
  std::uint64_t message_bytes_ = 0;
  double hidden_before_ = 0;
  Overlap overlap_;
};

}  // namespace

StepTime time_step(const RunConfig& config, SyntheticGradients& gradients, std::int64_t steps,
                   LocalWork local_work) {
  const TopologyPlan plan(topology_options(config), *make_compressor(config.compressor));
  const VirtualTime time{
      .network = parse_network(*config.network), .local_work = local_work, .seed = config.seed};
  StepTime mean;
  std::mutex mutex;
  std::vector<double> seconds(static_cast<std::size_t>(steps));  // until the last worker has ended
  run_workers({.workers = static_cast<int>(config.workers), .virtual_time = time}, [&](Worker& me) {
    StepWorker worker(me, config, plan, gradients);
    worker.step(0);  // allocates memory
    worker.reset();
    for (std::int64_t k = 0; k < steps; ++k) {
      const double own = worker.timed_step(k + 1);
      const std::lock_guard lock(mutex);
      double& last = seconds[static_cast<std::size_t>(k)];
      last = std::max(last, own);
    }
    const std::lock_guard lock(mutex);
    worker.add_to(mean, static_cast<double>(config.workers * steps));
  });
  const auto divisor = static_cast<std::uint64_t>(steps);
  mean.sent.bytes_sent /= divisor;
  mean.sent.payload_bytes_sent /= divisor;
  mean.sent.messages_sent /= divisor;
  for (const double each : seconds) mean.seconds += each / static_cast<double>(steps);
  return mean;
}

}  // namespace terse::run
