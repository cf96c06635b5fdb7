// Whole training steps: forward, backward, update (SGD with momentum 0.9), on the shapes of
// bench/peers/torch_train.py. One worker; the time is that of a step.
//
//   bench_train --benchmark_filter=lenet
#include <benchmark/benchmark.h>

#include <vector>

#include "core/allocator.hpp"
#include "core/ops.hpp"
#include "core/parallel.hpp"
#include "core/parameters.hpp"
#include "core/testing/check_gradient.hpp"
#include "nn/models.hpp"
#include "optim/optimizer.hpp"

namespace {

using namespace terse;

void train_step(benchmark::State& state, const char* spec, std::int64_t batch,
                const nn::ImageTask& task) {
  set_thread_count(static_cast<int>(state.range(0)));
  nn::Init init(0);
  auto model = nn::make_model(spec, task, init);
  ParameterBuffer parameters(nn::parameters(*model));
  auto rule = make_update_rule("sgd:momentum=0.9");
  const Tensor x = random_tensor({batch, task.channels, task.height, task.width}, 1);
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < batch; ++i)
    labels.push_back(static_cast<std::int32_t>(i % task.classes));
  const auto step = [&] {
    parameters.zero_grad();
    cross_entropy((*model)(x), labels).backward();
    rule->apply(parameters.values(), parameters.gradients(), 0.01F);
  };
  step();
  const auto before = memory_use();
  for (auto _ : state) step();
  const auto after = memory_use();
  state.counters["samples/s"] = benchmark::Counter(static_cast<double>(state.iterations() * batch),
                                                   benchmark::Counter::kIsRate);
  state.counters["system_calls"] = static_cast<double>(after.system_calls - before.system_calls);
  state.counters["peak_MB"] = static_cast<double>(after.peak_bytes) / 1e6;
}

void lenet(benchmark::State& state) {
  train_step(state, "lenet", 64, {1, 28, 28, 10});
}
BENCHMARK(lenet)->Arg(1)->Arg(2)->ArgName("threads")->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
