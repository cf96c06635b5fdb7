// Complete training steps of one worker: forward, backward, update (SGD with momentum 0.9), on the
// models and shapes of bench/peers/torch_train.py. The time is that of one step.
//
//   bench_train --benchmark_filter=resnet18
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <functional>
#include <vector>

#include "tersegrad/core/allocator.hpp"
#include "tersegrad/core/kernels/conv/conv2d.hpp"
#include "tersegrad/core/ops.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/parameters.hpp"
#include "tersegrad/core/testing/check_gradient.hpp"
#include "tersegrad/nn/models.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace {

using namespace terse;

// Measures training steps of a model. `loss` runs the forward pass on a batch of `samples` samples.
void train_steps(benchmark::State& state, nn::Module& model, std::int64_t samples,
                 const std::function<Tensor()>& loss) {
  set_thread_count(static_cast<int>(state.range(0)));
  ParameterBuffer parameters(nn::parameters(model));
  const auto rule = make_update_rule("sgd:momentum=0.9");
  const auto step = [&] {
    parameters.zero_grad();
    loss().backward();
    rule->apply(parameters.values(), parameters.gradients(), 0.01F);
  };
  step();
  const auto before = memory_use();
  for (auto _ : state) step();
  const auto after = memory_use();
  state.counters["samples/s"] = benchmark::Counter(
      static_cast<double>(state.iterations() * samples), benchmark::Counter::kIsRate);
  state.counters["system_calls"] = static_cast<double>(after.system_calls - before.system_calls);
  state.counters["peak_MB"] = static_cast<double>(after.peak_bytes) / 1e6;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);  // for the whole process
  state.counters["resident_MiB"] = static_cast<double>(usage.ru_maxrss) / 1024;
}

std::vector<std::int32_t> some_integers(std::int64_t count, std::int64_t below) {
  std::vector<std::int32_t> values;
  for (std::int64_t i = 0; i < count; ++i) {
    values.push_back(static_cast<std::int32_t>((i * 7919 + 13) % below));
  }
  return values;
}

void image_steps(benchmark::State& state, const char* spec, std::int64_t batch,
                 const nn::ImageTask& task) {
  nn::Init init(0);
  const auto model = nn::make_model(spec, task, init);
  const Tensor x = random_tensor({batch, task.channels, task.height, task.width}, 1);
  const auto labels = some_integers(batch, task.classes);
  train_steps(state, *model, batch, [&] { return cross_entropy((*model)(x), labels); });
}

void lenet(benchmark::State& state) {
  image_steps(state, "lenet", 64, {1, 28, 28, 10});
}
void resnet20(benchmark::State& state) {
  image_steps(state, "resnet20", 64, {3, 32, 32, 10});
}
void resnet18(benchmark::State& state) {
  image_steps(state, "resnet18", 32, {3, 32, 32, 10});
}
void resnet20_exact(benchmark::State& state) {
  kernels::set_exact_convolution(true);
  resnet20(state);
  kernels::set_exact_convolution(false);
}
void lstm(benchmark::State& state) {
  constexpr std::int64_t kTime = 30, kColumns = 32, kWords = 10'000;
  nn::Init init(0);
  const auto model = nn::make_language_model("lstm:layers=3,hidden=650,dropout=0", kWords, init);
  const auto ids = some_integers(kTime * kColumns, kWords);
  const auto labels = some_integers(kTime * kColumns + 1, kWords);
  nn::LstmStates states;
  train_steps(state, *model, kTime * kColumns, [&] {
    states.clear();
    return model->loss(
        {.time = kTime, .batch = kColumns, .ids = ids, .labels = std::span(labels).subspan(1)},
        states);
  });
}

void settings(benchmark::internal::Benchmark* b) {
  b->Arg(1)->Arg(2)->ArgName("threads")->UseRealTime()->Unit(benchmark::kMillisecond);
}
BENCHMARK(lenet)->Apply(settings);
BENCHMARK(resnet20)->Apply(settings);
BENCHMARK(resnet20_exact)->Apply(settings);
BENCHMARK(resnet18)->Apply(settings);
BENCHMARK(lstm)->Apply(settings);

}  // namespace

BENCHMARK_MAIN();
