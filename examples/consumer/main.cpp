// Which way do the stripes run? Three workers train a small network with an operator and a compressor of this program's
// own; both are checked first. Ends with 1 if a check fails, or if the network has learned too little.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <span>
#include <vector>

#include "comm/worker.hpp"
#include "core/ops.hpp"
#include "data/loader.hpp"
#include "optim/compressor.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/ops.hpp"
#include "tersegrad/core/testing/check_gradient.hpp"
#include "tersegrad/optim/testing/check_laws.hpp"
#include "tersegrad/version.hpp"

namespace stripes {
namespace {

// Throws if the gradient differs from finite differences.
void check_swish() {
  const auto f = [](std::span<const terse::Tensor> in) { return swish(in[0]); };
  const auto report = terse::check_gradient(f, {terse::random_tensor({3, 5}, 1)});
  std::printf("swish: %lld derivatives, worst error %.1e\n",
              static_cast<long long>(report.elements), report.worst);
}

bool is_sent_first(std::size_t i) {
  return i % Turns::kTurns == 0;
}

// Prints the laws that Turns breaks; whether it breaks none.
bool check_turns() {
  terse::CompressorClaims claims{.error_is_exact = true, .linear = true};
  claims.error = [](const terse::OwnedGradients& x) {
    double lost = 0, all = 0;
    for (const auto& tensor : x) {
      for (std::size_t i = 0; i < tensor.values.size(); ++i) {
        const double square = double{tensor.values[i]} * tensor.values[i];
        all += square;
        if (!is_sent_first(i)) lost += square;
      }
    }
    return lost / all;
  };
  claims.payload_bytes = [](const std::vector<terse::MatrixShape>& shapes) {
    std::int64_t places = 0;
    for (const auto& shape : shapes) places += Turns::places(shape.rows * shape.cols);
    return static_cast<std::size_t>(places) * sizeof(float);
  };
  claims.reference = [](const terse::Round&, const std::vector<terse::OwnedGradients>& workers) {
    auto mean = terse::mean_of(workers);
    for (auto& tensor : mean) {
      for (std::size_t i = 0; i < tensor.values.size(); ++i) {
        if (!is_sent_first(i)) tensor.values[i] = 0;
      }
    }
    return mean;
  };
  const auto broken = terse::check_laws([] { return std::make_unique<Turns>(); }, claims);
  for (const auto& law : broken) std::printf("turns: %s\n", law.c_str());
  if (broken.empty()) std::printf("turns: obeys the laws of compressors\n");
  return broken.empty();
}

double train_three_workers() {
  const auto images = make_stripes(3000, 1);
  auto test = make_stripes(400, 2);
  test.statistics = images.statistics;
  const terse::TopologyPlan plan({.kind = terse::TopologyKind::ring, .workers = 3}, Turns());
  double accuracy = 0;
  terse::run_workers({.workers = 3}, [&](terse::Worker& me) {
    const double mine = train(me, plan, images, test);
    if (me.rank() == 0) accuracy = mine;
  });
  return accuracy;
}

int run() {
  std::printf("tersegrad %s\n", TERSE_VERSION);
  check_swish();
  if (!check_turns()) return 1;
  const double accuracy = train_three_workers();
  std::printf("accuracy %.1f %% (by guessing: 25 %%)\n", 100 * accuracy);
  return accuracy >= 0.9 ? 0 : 1;
}

}  // namespace
}  // namespace stripes

int main() {
  try {
    return stripes::run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
