// Update rules on 11.2 M parameters, about the size of ResNet-18: the bytes that a step must read
// and write, divided by its time; and, in alternation with it, a plain copy of as many bytes.
//
//   bench_optim --benchmark_filter=adam
//
// The copy is not an upper bound: before the processor writes a cache line of the target, it reads
// the line, and these reads are not counted. An update rule reads the lines that it writes anyway,
// so a memory-bound rule reaches 1.5 times the rate of the copy.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>

#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace {

using namespace terse;

constexpr std::int64_t kParameters = 11'200'000;

// Values of both signs. With small scales, the parameters change little over all steps.
Buffer<float> values(std::int64_t n, float scale) {
  Buffer<float> made(n);
  for (std::int64_t i = 0; i < n; ++i) made[i] = scale * static_cast<float>(i % 1001 - 500);
  return made;
}

template <class Body>
double seconds(Body body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void copy(Buffer<float>& from, Buffer<float>& to) {
  parallel_for(std::ssize(from.span()), 1 << 16, [&](std::int64_t begin, std::int64_t end) {
    std::copy(from.data() + begin, from.data() + end, to.data() + begin);
  });
}

struct Case {
  const char* spec;
  int floats;  // floats read and written per parameter: g once; x and each state array twice
};

void step(benchmark::State& state, const Case& each) {
  set_thread_count(static_cast<int>(state.range(0)));
  auto x = values(kParameters, 1e-3F);
  const auto gradient = values(kParameters, 1e-4F);
  const auto rule = make_update_rule(each.spec);
  auto from = values(kParameters * each.floats / 2, 1),
       to = values(kParameters * each.floats / 2, 1);
  const auto apply = [&] { rule->apply(x.span(), gradient.span(), 1e-6F); };
  apply();
  double rule_time = 0, copy_time = 0;
  for (auto _ : state) {
    const double time = seconds(apply);
    state.SetIterationTime(time);
    rule_time += time;
    copy_time += seconds([&] { copy(from, to); });
  }
  const double gigabytes =
      static_cast<double>(state.iterations() * each.floats * kParameters) * sizeof(float) / 1e9;
  state.counters["GB/s"] = gigabytes / rule_time;
  state.counters["copy_GB/s"] = gigabytes / copy_time;
}

constexpr Case kCases[] = {{"sgd", 3},
                           {"sgd:momentum=0.9", 5},
                           {"sgd:momentum=0.9+clip:norm=1", 6},
                           {"sgd:momentum=0.9+clip:value=1", 5},
                           {"adam", 7},
                           {"adam:amsgrad", 9},
                           {"adamw", 7},
                           {"rmsprop", 5},
                           {"rmsprop:centered,momentum=0.9", 9},
                           {"adagrad", 5},
                           {"adadelta", 7},
                           {"rprop", 7}};

}  // namespace

int main(int argc, char** argv) {
  for (const auto& each : kCases) {
    benchmark::RegisterBenchmark(each.spec, step, each)
        ->Arg(1)
        ->Arg(2)
        ->ArgName("threads")
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
