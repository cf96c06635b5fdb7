// Compressors on ResNet-18's gradient, 62 tensors with 11 173 962 floats: a worker's time for
// encode (including the residual's update with error feedback) and for decode. Reading the gradient
// once and copying it are measured in alternation with them.
//
//   bench_compress --benchmark_filter=topk
//
// The time is that of encode and decode together. x_read is the time of encode divided by the time
// of one pass that reads the gradient.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/kernels/vector.hpp"
#include "tersegrad/optim/testing/gradients.hpp"
#include "tersegrad/optim/testing/shapes.hpp"

namespace {

using namespace terse;

template <class Body>
double seconds(Body body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

const OwnedGradients& gradients() {
  static const OwnedGradients made = normal_gradients(resnet18_shapes(), 1);
  return made;
}

// Gradients in one contiguous buffer, as in a model.
class FlatGradients {
 public:
  FlatGradients() : values_(static_cast<std::int64_t>(flat(gradients()).size())) {
    auto rest = values_.span();
    for (const auto& tensor : gradients()) {
      const auto data = rest.first(tensor.values.size());
      std::ranges::copy(tensor.values, data.begin());
      views_.push_back({tensor.id, tensor.rows, tensor.cols, tensor.kernel, data});
      rest = rest.subspan(tensor.values.size());
    }
  }
  std::span<const GradView> views() const { return views_; }
  std::span<float> values() { return values_.span(); }

 private:
  Buffer<float> values_;
  std::vector<GradView> views_;
};

// A step of a single worker. Measures encode and decode, but not combine.
class LoneWorker {
 public:
  explicit LoneWorker(const std::string& spec) : compressor_(make_compressor(spec)) {}

  void step(double& encode, double& decode) {
    const auto in = in_.views(), out = out_.views();
    Round round{.seed = 1, .step = step_++, .lr = 0.1F, .count = count(in)};
    const auto traits = compressor_->traits(round.step);
    for (; round.phase < traits.phases; ++round.phase) {
      encode += seconds([&] { compressor_->encode(round, in, up_); });
      if (traits.linear) {
        auto header = up_.header();
        header.kind = PacketKind::partial;
        up_.start(header, up_.payload().size());
      } else {
        compressor_->combine(round, in, std::span(&up_, 1), weights_, down_);
      }
      decode += seconds([&] { decode_to(out, *compressor_, round, traits.linear ? up_ : down_); });
    }
  }

 private:
  std::unique_ptr<Compressor> compressor_;
  FlatGradients in_, out_;
  std::vector<float> weights_{1.0F};
  Packet up_, down_;
  std::uint64_t step_ = 0;
};

void compress(benchmark::State& state, const std::string& spec) {
  set_thread_count(static_cast<int>(state.range(0)));
  LoneWorker worker(spec);
  FlatGradients gradient, copy;
  double encode = 0, decode = 0, read = 0, copied = 0;
  for (int step = 0; step < 3; ++step) worker.step(encode, decode);  // warm-up: allocates memory
  encode = decode = 0;
  for (auto _ : state) {
    double here = 0, back = 0;
    worker.step(here, back);
    state.SetIterationTime(here + back);
    encode += here;
    decode += back;
    read += seconds([&] { benchmark::DoNotOptimize(kernels::norm1(gradient.values())); });
    copied += seconds([&] { kernels::copy_to(gradient.values(), copy.values()); });
  }
  const double steps = static_cast<double>(state.iterations());
  state.counters["encode_ms"] = 1e3 * encode / steps;
  state.counters["decode_ms"] = 1e3 * decode / steps;
  state.counters["read_ms"] = 1e3 * read / steps;
  state.counters["copy_ms"] = 1e3 * copied / steps;
  state.counters["x_read"] = encode / read;
}

// combine of the compressor `vote`: the majority vote of `workers` workers on packed signs.
void vote(benchmark::State& state, std::uint32_t workers) {
  set_thread_count(static_cast<int>(state.range(0)));
  auto shape = gradients();
  const auto views = views_of(shape);
  std::vector<Packet> up(workers);
  const auto compressor = make_compressor("vote");
  Round round{.seed = 1, .workers = workers, .count = count(views)};
  for (std::uint32_t w = 0; w < workers; ++w) {
    auto own = normal_gradients(resnet18_shapes(), w);
    round.worker = w;
    compressor->encode(round, views_of(own), up[w]);
  }
  const std::vector<float> weights(workers, 1.0F / static_cast<float>(workers));
  Packet down;
  for (auto _ : state) compressor->combine(round, views, up, weights, down);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> specs{"vote", "sign+ef", "topk:ratio=0.01+ef", "powersgd:rank=2+ef"};
  for (const auto& entry : compressor_registry()) {
    if (!entry.decorator || !entry.bare.empty()) specs.emplace_back(entry.example);
  }
  for (const auto& spec : specs) {
    benchmark::RegisterBenchmark(spec.c_str(), compress, spec)
        ->Arg(1)
        ->Arg(2)
        ->ArgName("threads")
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  }
  for (const std::uint32_t workers : {3U, 4U, 15U}) {
    benchmark::RegisterBenchmark(("majority of " + std::to_string(workers)).c_str(), vote, workers)
        ->Arg(1)
        ->Arg(2)
        ->ArgName("threads")
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
