// The language model of bench/peers/torch_train.py and its parts: vocabulary 10 000, 650 features
// and units, three layers, 30 time steps, batch 32; embedding and output weights are tied.
//
//   bench_lstm --benchmark_filter=train
#include <benchmark/benchmark.h>

#include <array>
#include <vector>

#include "tersegrad/core/allocator.hpp"
#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/kernels/gemm.hpp"
#include "tersegrad/core/ops.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/parameters.hpp"
#include "tersegrad/core/testing/check_gradient.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace {

using namespace terse;

constexpr std::int64_t kV = 10'000, kD = 650, kT = 30, kN = 32, kTokens = kT * kN;

Tensor weight(const Shape& shape, std::uint64_t seed) {
  Tensor w = scale(random_tensor(shape, seed), 0.05F);
  w.set_requires_grad();
  return w;
}

std::vector<std::int32_t> tokens(std::int64_t factor) {
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < kTokens; ++i)
    ids.push_back(static_cast<std::int32_t>(i * factor % kV));
  return ids;
}

LstmWeights layer_weights(std::uint64_t seed) {
  return {.w_ih = weight({4 * kD, kD}, seed),
          .w_hh = weight({4 * kD, kD}, seed + 1),
          .b_ih = weight({4 * kD}, seed + 2),
          .b_hh = weight({4 * kD}, seed + 3)};
}

void count_rate(benchmark::State& state, const char* name, double each) {
  state.counters[name] = benchmark::Counter(each * static_cast<double>(state.iterations()),
                                            benchmark::Counter::kIsRate);
}

// ---- matrix products: M, N, K, A transposed, B transposed, threads ------------------------------

void gemm(benchmark::State& state) {
  const std::int64_t m = state.range(0), n = state.range(1), k = state.range(2);
  const auto ta = state.range(3) == 1 ? Transpose::yes : Transpose::no;
  const auto tb = state.range(4) == 1 ? Transpose::yes : Transpose::no;
  set_thread_count(static_cast<int>(state.range(5)));
  const Tensor a = random_tensor({m * k}, 1), b = random_tensor({k * n}, 2);
  Tensor c = Tensor::empty({m, n});
  for (auto _ : state) {
    kernels::gemm(ta, tb, m, n, k, a.data().data(), b.data().data(), 0, c.data_mut().data());
  }
  count_rate(state, "GFLOP/s", 2e-9 * static_cast<double>(m * n * k));
}
void gemm_shapes(benchmark::internal::Benchmark* b) {
  const std::vector<std::array<std::int64_t, 5>> shapes = {
      {kTokens, kV, kD, 0, 1},     {kTokens, kD, kV, 0, 0},     {kV, kD, kTokens, 1, 0},
      {kTokens, 4 * kD, kD, 0, 1}, {kTokens, kD, 4 * kD, 0, 0}, {4 * kD, kD, kTokens, 1, 0},
      {64, 120, 400, 0, 1},        {64, 400, 120, 0, 0},        {120, 400, 64, 1, 0},
      {64, 84, 120, 0, 1},
  };
  for (const auto& s : shapes)
    for (const std::int64_t threads : {1, 2}) b->Args({s[0], s[1], s[2], s[3], s[4], threads});
}
BENCHMARK(gemm)->Apply(gemm_shapes)->UseRealTime()->Unit(benchmark::kMicrosecond);

// ---- one layer, and the loss --------------------------------------------------------------------

void lstm_forward(benchmark::State& state) {
  set_thread_count(static_cast<int>(state.range(0)));
  const LstmWeights w = layer_weights(1);
  const Tensor x = random_tensor({kT, kN, kD}, 9);
  const NoGrad no_grad;
  for (auto _ : state) lstm(x, {}, {}, w);
}

void lstm_forward_and_backward(benchmark::State& state) {
  set_thread_count(static_cast<int>(state.range(0)));
  const LstmWeights w = layer_weights(1);
  Tensor x = random_tensor({kT, kN, kD}, 9);
  x.set_requires_grad();
  const Tensor dy = random_tensor({kT, kN, kD}, 10);
  for (auto _ : state) lstm(x, {}, {}, w).y.backward(dy);
}

void loss(benchmark::State& state) {
  set_thread_count(static_cast<int>(state.range(0)));
  const Tensor w = weight({kV, kD}, 1), b = weight({kV}, 2);
  Tensor x = random_tensor({kTokens, kD}, 9);
  x.set_requires_grad();
  const auto labels = tokens(7919);
  for (auto _ : state) linear_cross_entropy(x, w, b, labels).backward();
}

// ---- a training step ----------------------------------------------------------------------------

void train(benchmark::State& state) {
  set_thread_count(static_cast<int>(state.range(0)));
  const Tensor table = weight({kV, kD}, 1), bias = weight({kV}, 2);
  std::vector<LstmWeights> layers;
  for (std::uint64_t i = 0; i < 3; ++i) layers.push_back(layer_weights(10 * (i + 1)));
  std::vector<ParameterBuffer::Named> named{{"table", table}, {"bias", bias}};
  for (const auto& w : layers) {
    named.push_back({"w_ih", w.w_ih});
    named.push_back({"w_hh", w.w_hh});
    named.push_back({"b_ih", w.b_ih});
    named.push_back({"b_hh", w.b_hh});
  }
  ParameterBuffer parameters(named);
  auto rule = make_update_rule("sgd:momentum=0.9");
  const auto ids = tokens(31), labels = tokens(7919);
  const auto step = [&] {
    parameters.zero_grad();
    Tensor x = reshape(embedding(table, ids), {kT, kN, kD});
    for (const auto& w : layers) x = lstm(x, {}, {}, w).y;
    linear_cross_entropy(reshape(x, {kTokens, kD}), table, bias, labels).backward();
    rule->apply(parameters.values(), parameters.gradients(), 0.01F);
  };
  step();
  const auto before = memory_use();
  for (auto _ : state) step();
  const auto after = memory_use();
  count_rate(state, "tokens/s", kTokens);
  state.counters["system_calls"] = static_cast<double>(after.system_calls - before.system_calls);
  state.counters["peak_MB"] = static_cast<double>(after.peak_bytes) / 1e6;
}

void threads(benchmark::internal::Benchmark* b) {
  b->Arg(1)->Arg(2)->ArgName("threads")->UseRealTime()->Unit(benchmark::kMillisecond);
}
BENCHMARK(lstm_forward)->Apply(threads);
BENCHMARK(lstm_forward_and_backward)->Apply(threads);
BENCHMARK(loss)->Apply(threads);
BENCHMARK(train)->Apply(threads);

}  // namespace

BENCHMARK_MAIN();
