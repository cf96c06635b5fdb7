#include "examples/bytes/exchange_bytes.hpp"

#include <mutex>

#include "examples/run/step_time.hpp"
#include "tersegrad/comm/topology/topology.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse::run {

ExchangeBytes exchange(const RunConfig& config, const std::vector<MatrixShape>& shapes,
                       std::int64_t steps) {
  std::int64_t n = 0;
  for (const auto& shape : shapes) n += shape.rows * shape.cols;
  const TopologyPlan plan(topology_options(config), *make_compressor(config.compressor));
  ExchangeBytes counted;
  std::mutex mutex;
  run_workers(
      {.workers = static_cast<int>(config.workers), .executor = Executor::turns}, [&](Worker& me) {
        const auto compressor = make_compressor(config.compressor);
        const auto topology = plan.join(me);
        Buffer<float> gradients(n), mean(n);
        Philox random(config.seed, {.purpose = Purpose::synthetic,
                                    .worker = static_cast<std::uint32_t>(me.rank())});
        for (std::uint64_t step = 0; step < static_cast<std::uint64_t>(steps); ++step) {
          for (auto& value : gradients.span()) value = random.normal();
          topology->run(*compressor, {.seed = config.seed, .step = step, .lr = 0.1F},
                        views_of(gradients.span(), shapes), views_of(mean.span(), shapes),
                        [](const GradientSource&) {});
          const std::lock_guard lock(mutex);
          if (me.rank() == 0)
            counted.message_bytes += static_cast<double>(topology->message_bytes());
        }
        const std::lock_guard lock(mutex);
        counted.bytes_sent_per_worker += static_cast<double>(me.counters().bytes_sent) / me.size();
      });
  counted.message_bytes /= static_cast<double>(steps);
  counted.bytes_sent_per_worker /= static_cast<double>(steps);
  return counted;
}

}  // namespace terse::run
