// The convolutions of LeNet-5, ResNet-20 (64 images) and ResNet-18 for CIFAR (32 images): forward,
// data gradient and weight gradient, by direct summation, by Winograd's algorithm, and by the
// depthwise kernels.
//
//   bench_conv --benchmark_filter='winograd.*C64.*threads:2'
//
// "GFLOP/s" counts the operations of direct summation, so Winograd's algorithm may exceed the FMA
// peak, which `fma_peak` measures in the same run.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <functional>
#include <string>
#include <vector>

#include "bench/multiply_add.hpp"
#include "tersegrad/core/kernels/conv/conv2d.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/testing/check_gradient.hpp"

namespace {

using namespace terse;
using kernels::ConvShape;

constexpr const char* kRate = "GFLOP/s";

// Multiply-adds on registers, an upper bound for the inner loop of a convolution.
void fma_peak(benchmark::State& state) {
  const int threads = static_cast<int>(state.range(0));
  set_thread_count(threads);
  double operations = 0;
  for (auto _ : state) {
    parallel_for(threads, 1, [&](std::int64_t i, std::int64_t) {
      const double of_thread = multiply_add();
      if (i == 0) operations = of_thread * threads;
    });
  }
  state.counters[kRate] =
      benchmark::Counter(operations / 1e9, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(fma_peak)->Arg(1)->Arg(2)->ArgName("threads")->UseRealTime();

struct Operands {
  explicit Operands(const ConvShape& a)
      : x(random_tensor({a.n, a.c, a.h, a.w}, 1)),
        w(random_tensor({a.k, a.c / a.groups, a.r, a.s}, 2)),
        y(random_tensor({a.n, a.k, a.p(), a.q()}, 3)) {}
  Tensor x, w, y;
};

using Run = std::function<void(const ConvShape&, Operands&)>;

void convolution(benchmark::State& state, const ConvShape& shape, const Run& run) {
  set_thread_count(static_cast<int>(state.range(0)));
  Operands operands(shape);
  run(shape, operands);
  for (auto _ : state) run(shape, operands);
  const double products =
      static_cast<double>(operands.y.numel() * shape.c / shape.groups * shape.r * shape.s);
  state.counters[kRate] =
      benchmark::Counter(2e-9 * products, benchmark::Counter::kIsIterationInvariantRate);
}

struct Kernel {
  std::string method, name;
  Run run;
};

std::vector<Kernel> all_kernels() {
  namespace direct = kernels::direct;
  namespace depthwise = kernels::depthwise;
  namespace winograd = kernels::winograd;
  return {
      {"direct", "forward",
       [](const ConvShape& a, Operands& t) {
         direct::conv2d_forward(a, t.x.data(), t.w.data(), {}, t.y.data_mut());
       }},
      {"direct", "data_gradient",
       [](const ConvShape& a, Operands& t) {
         direct::conv2d_data_gradient(a, t.y.data(), t.w.data(), t.x.data_mut());
       }},
      {"direct", "weight_gradient",
       [](const ConvShape& a, Operands& t) {
         direct::conv2d_weight_gradient(a, t.x.data(), t.y.data(), t.w.data_mut());
       }},
      {"depthwise", "forward",
       [](const ConvShape& a, Operands& t) {
         depthwise::conv2d_forward(a, t.x.data(), t.w.data(), {}, t.y.data_mut());
       }},
      {"depthwise", "data_gradient",
       [](const ConvShape& a, Operands& t) {
         depthwise::conv2d_data_gradient(a, t.y.data(), t.w.data(), t.x.data_mut());
       }},
      {"depthwise", "weight_gradient",
       [](const ConvShape& a, Operands& t) {
         depthwise::conv2d_weight_gradient(a, t.x.data(), t.y.data(), t.w.data_mut());
       }},
      {"winograd", "forward",
       [](const ConvShape& a, Operands& t) {
         winograd::conv2d_forward(a, t.x.data(), t.w.data(), {}, t.y.data_mut());
       }},
      {"winograd", "data_gradient",
       [](const ConvShape& a, Operands& t) {
         winograd::conv2d_data_gradient(a, t.y.data(), t.w.data(), t.x.data_mut());
       }},
      {"winograd", "weight_gradient",
       [](const ConvShape& a, Operands& t) {
         winograd::conv2d_weight_gradient(a, t.x.data(), t.y.data(), t.w.data_mut());
       }},
  };
}

const std::vector<ConvShape> kShapes = {
    // n, c, h, w, k, r, s, stride, padding, groups
    {64, 1, 28, 28, 6, 5, 5, 1, 2},        // LeNet-5
    {64, 6, 14, 14, 16, 5, 5, 1, 0},       //
    {64, 3, 32, 32, 16, 3, 3, 1, 1},       // ResNet-20
    {64, 16, 32, 32, 16, 3, 3, 1, 1},      //
    {64, 32, 16, 16, 32, 3, 3, 1, 1},      //
    {64, 64, 8, 8, 64, 3, 3, 1, 1},        //
    {64, 16, 32, 32, 32, 3, 3, 2, 1},      //
    {64, 32, 16, 16, 64, 3, 3, 2, 1},      //
    {64, 16, 32, 32, 32, 1, 1, 2, 0},      //
    {32, 3, 32, 32, 64, 3, 3, 1, 1},       // ResNet-18
    {32, 64, 32, 32, 64, 3, 3, 1, 1},      //
    {32, 128, 16, 16, 128, 3, 3, 1, 1},    //
    {32, 256, 8, 8, 256, 3, 3, 1, 1},      //
    {32, 512, 4, 4, 512, 3, 3, 1, 1},      //
    {32, 64, 32, 32, 128, 3, 3, 2, 1},     //
    {32, 128, 16, 16, 256, 3, 3, 2, 1},    //
    {32, 256, 8, 8, 512, 3, 3, 2, 1},      //
    {32, 64, 32, 32, 128, 1, 1, 2, 0},     //
    {32, 128, 16, 16, 256, 1, 1, 2, 0},    //
    {32, 256, 8, 8, 512, 1, 1, 2, 0},      //
    {32, 64, 32, 32, 64, 3, 3, 1, 1, 64},  // depthwise
    {32, 64, 32, 32, 64, 3, 3, 1, 1, 4},   // groups
};

bool applies(const std::string& method, const ConvShape& a) {
  if (method == "winograd") return kernels::winograd::applies(a) && a.c >= 16 && a.k >= 16;
  return method == "direct" || (a.groups == a.c && a.groups > 1);
}

void register_all() {
  for (const auto& shape : kShapes) {
    for (const auto& kernel : all_kernels()) {
      if (!applies(kernel.method, shape)) continue;
      const std::string name = fmt::format("{}/{}/N{} C{} K{} {}x{} kernel {} stride {} groups {}",
                                           kernel.method, kernel.name, shape.n, shape.c, shape.k,
                                           shape.h, shape.w, shape.r, shape.stride, shape.groups);
      benchmark::RegisterBenchmark(
          name.c_str(),
          [shape, run = kernel.run](benchmark::State& state) { convolution(state, shape, run); })
          ->Arg(1)
          ->Arg(2)
          ->ArgName("threads")
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
