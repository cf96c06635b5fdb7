// Tests of random block: the coordinates are consecutive on a ring, uniformly distributed, and the
// same for all workers.
#include <gtest/gtest.h>

#include <cmath>

#include "tersegrad/optim/testing/exchange.hpp"

namespace terse {
namespace {

OwnedGradients ones(std::int64_t n) {
  return make_gradients({{"", n, 1}}, [](std::int64_t) { return 1.0F; });
}

TEST(RandomBlock, IsOneRunOnARing) {
  TestExchange exchange([] { return make_compressor("randomblock:k=4"); }, 2);
  bool wrapped = false;
  for (int step = 0; step < 50; ++step) {
    const auto out = flat(exchange.mean({ones(11), ones(11)}));
    int chosen = 0, starts = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      chosen += out[i] != 0 ? 1 : 0;
      starts += out[i] != 0 && out[(i + 10) % 11] == 0 ? 1 : 0;
    }
    EXPECT_EQ(chosen, 4);
    EXPECT_EQ(starts, 1);
    wrapped = wrapped || (out[0] != 0 && out[10] != 0);
  }
  EXPECT_TRUE(wrapped);
}

TEST(RandomBlock, StartsAreUniform) {
  constexpr int kSteps = 20000;
  TestExchange exchange([] { return make_compressor("randomblock:k=3"); }, 1);
  std::vector<double> times(10);
  for (int step = 0; step < kSteps; ++step) {
    const auto out = flat(exchange.mean({ones(10)}));
    for (std::size_t i = 0; i < out.size(); ++i) times[i] += out[i];
  }
  for (const double each : times) EXPECT_NEAR(each, 0.3 * kSteps, 5 * std::sqrt(kSteps * 0.21));
}

TEST(RandomBlock, RankGivesTheBytesOfPowerSgd) {
  const std::vector<MatrixShape> shapes{{"", 40, 30}, {"", 17, 1}, {"", 3, 2}};
  const auto bytes = [&](const std::string& spec) {
    TestExchange exchange([&] { return make_compressor(spec); }, 1);
    exchange.mean({normal_gradients(shapes, 1)});
    std::size_t sum = 0;
    for (const auto& phase : exchange.phases()) sum += phase.up[0].payload().size();
    return sum;
  };
  // min(r (n + m), n m) values per matrix. The smallest matrix is sent whole, where PowerSGD sends
  // its factors.
  EXPECT_EQ(bytes("randomblock:rank=2"), 4U * (2 * 70 + 17 + 6));
  EXPECT_EQ(bytes("randomk:rank=2"), 4U * (2 * 70 + 17 + 6));
  EXPECT_EQ(bytes("topk:rank=2"), 8U * (70 + 8 + 3));  // a coordinate with each value
  EXPECT_EQ(bytes("powersgd:rank=1"), 4U * (70 + 17 + 5));
}

}  // namespace
}  // namespace terse
