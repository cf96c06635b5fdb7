// A complete synchronous step on ResNet-18 (11 173 962 parameters), from computed gradients to
// parameters updated by plain SGD, of 1, 2 and 4 workers, as a whole and in buckets of 4 MB. Every
// worker has its own replica; all workers share the cores of the machine.
//
//   bench_step --benchmark_filter='sign.*ring.*W=4'
//
// The time is measured between two barriers of all workers. Counters give the time of each part of
// a step, averaged over the workers, and the bytes that a worker sends. Within one process,
// communication is a memory copy, so a compressor need not be faster than `none` here; it sends
// fewer bytes.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <mutex>
#include <string>

#include "tersegrad/comm/training/distributed_optimizer.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/ops.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/parameters.hpp"
#include "tersegrad/nn/models.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace {

using namespace terse;

constexpr double kBucketBytes = 4e6;

// Calls backward once before it fills the gradients: a parameter that no backward call has reached
// counts as having a zero gradient, whatever values are written to it.
void fill_gradients(nn::Layer& model, ParameterBuffer& parameters, int worker) {
  const std::array<std::int32_t, 1> label{0};
  cross_entropy(model(Tensor::full({1, 3, 32, 32}, 0.1F)), label).backward();
  Philox random(1, {.worker = static_cast<std::uint32_t>(worker)});
  for (auto& value : parameters.gradients()) value = 0.01F * random.normal();
}

void step(benchmark::State& state, const std::string& spec, TopologyKind topology, int workers,
          double bucket_bytes) {
  set_thread_count(2);
  const TopologyPlan plan({.kind = topology,
                           .workers = workers,
                           .servers = topology == TopologyKind::server ? workers : 1},
                          *make_compressor(spec));
  std::mutex mutex;
  PartTimes times;
  std::uint64_t sent = 0;
  // All workers must leave the loop after the same step. Worker 0 sets the number of steps.
  std::int64_t steps = 0;
  run_workers({.workers = workers, .verify = Verify::header}, [&](Worker& me) {
    nn::Init init(1);
    const auto model =
        nn::make_model("resnet18", {.channels = 3, .height = 32, .width = 32, .classes = 10}, init);
    ParameterBuffer parameters(nn::parameters(*model));
    fill_gradients(*model, parameters, me.rank());
    const auto rule = make_update_rule("sgd");
    DistributedOptimizer optimizer(me, parameters, *rule, make_compressor(spec), plan.join(me),
                                   {.bucket_bytes = bucket_bytes});
    for (int i = 0; i < 2; ++i) optimizer.step(0.001F);  // warm-up: allocates all memory
    me.barrier();
    me.reset_accounts();
    std::int64_t taken = 0;
    const auto take = [&] {
      me.barrier();
      const auto start = std::chrono::steady_clock::now();
      optimizer.step(0.001F);
      ++taken;
      me.barrier();
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    if (me.rank() == 0) {
      steps = static_cast<std::int64_t>(state.max_iterations);
      me.barrier();
      for (auto _ : state) state.SetIterationTime(take());
    } else {
      me.barrier();
      while (taken < steps) take();
    }
    const std::scoped_lock lock(mutex);
    for (std::size_t i = 0; i < kParts; ++i) times.seconds[i] += me.times().seconds[i];
    sent += me.counters().bytes_sent;
  });
  const auto all = static_cast<double>(workers * steps);
  for (std::size_t i = 1; i < kParts; ++i) {
    state.counters[std::string(kPartNames[i]) + "_ms"] = 1e3 * times.seconds[i] / all;
  }
  state.counters["sent_MB"] = static_cast<double>(sent) / all / 1e6;
}

}  // namespace

int main(int argc, char** argv) {
  for (const char* spec : {"none", "vote", "sign+ef", "topk:ratio=0.01+ef", "powersgd:rank=2+ef"}) {
    for (const auto topology : {TopologyKind::ring, TopologyKind::server}) {
      for (const int workers : {1, 2, 4}) {
        for (const double bytes : {0.0, kBucketBytes}) {
          const auto name = fmt::format("{} over {} W={}{}", spec, to_string(topology), workers,
                                        bytes > 0 ? " buckets" : "");
          benchmark::RegisterBenchmark(name.c_str(), step, std::string(spec), topology, workers,
                                       bytes)
              ->UseManualTime()
              ->Unit(benchmark::kMillisecond);
        }
      }
    }
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
