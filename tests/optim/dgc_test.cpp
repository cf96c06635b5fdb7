// Tests of deep gradient compression: momentum, residuals, masking, sampling and warm-up.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "tersegrad/optim/optimizer.hpp"
#include "tersegrad/optim/testing/exchange.hpp"
#include "tersegrad/optim/testing/state.hpp"

namespace terse {
namespace {

TestExchange exchange_of(const std::string& options, int workers = 1) {
  return {[=] { return make_compressor("dgc:" + options); }, workers};
}

const std::vector<MatrixShape> kMatrix{{"", 20, 30}};

// The parameters after 12 steps from zero with learning rate 0.1.
std::vector<float> descend(const std::string& compressor, const std::string& rule, int workers) {
  const std::vector<MatrixShape> shapes{{"", 6, 5}, {"", 9, 1}};
  TestExchange exchange([&] { return make_compressor(compressor); }, workers);
  const auto update = make_update_rule(rule);
  std::vector<float> x(39);
  for (std::uint32_t step = 0; step < 12; ++step) {
    std::vector<OwnedGradients> gradients;
    for (int w = 0; w < workers; ++w) {
      gradients.push_back(normal_gradients(shapes, 10 * step + static_cast<std::uint32_t>(w)));
    }
    update->apply(x, flat(exchange.mean(gradients)), 0.1F);
  }
  return x;
}

TEST(Dgc, KeepingAllIsMomentumSgdToTheBit) {
  EXPECT_EQ(descend("dgc:ratio=1", "sgd", 1), descend("none", "sgd:momentum=0.9", 1));
  EXPECT_EQ(descend("dgc:ratio=1,nesterov", "sgd", 1),
            descend("none", "sgd:momentum=0.9,nesterov", 1));
}

// Each worker rounds its own u, so the mean of the workers' momenta differs by rounding from the
// momentum of the mean gradient. Here |u| is below 8. A step rounds u twice, by half a unit in the
// last place each, and keeps nine tenths of the earlier error. The update and the sum of the
// updates are rounded as often.
TEST(Dgc, KeepingAllIsMomentumSgdOfTheMeanButForRounding) {
  constexpr double kRounding = 8.0 / (1 << 24), kSettled = 2 * kRounding / (1 - 0.9);
  for (const int workers : {2, 3, 4}) {
    const auto x = descend("dgc:ratio=1", "sgd", workers);
    const auto y = descend("none", "sgd:momentum=0.9", workers);
    for (std::size_t i = 0; i < x.size(); ++i) {
      EXPECT_NEAR(x[i], y[i], 12 * 0.1 * 2 * (kSettled + 2 * kRounding)) << workers;
    }
    EXPECT_NE(x, y) << "no rounding?";
    if (workers == 3) continue;  // 1/3 is rounded where it is a factor
    EXPECT_EQ(x, descend("none+momentum:beta=0.9,form=sum", "sgd", workers)) << workers;
  }
}

TEST(Dgc, WhatIsNotSentStays) {
  for (const auto* options : {"ratio=0.05,sample=1", "ratio=0.05,sample=0.1", "ratio=0.05,nesterov",
                              "ratio=0.05,masking=false"}) {
    auto exchange = exchange_of(options);
    std::vector<float> u(600), v(600);
    const std::string text = options;
    for (std::uint32_t step = 0; step < 6; ++step) {
      const auto gradient = normal_gradients(kMatrix, step);
      const auto g = flat(gradient), sent = flat(exchange.mean({gradient}));
      const auto u_after = state_of(exchange.worker(0), "dgc.u");
      const auto v_after = state_of(exchange.worker(0), "dgc.v");
      const bool nesterov = text.find("nesterov") != std::string::npos;
      const bool masking = text.find("masking") == std::string::npos;
      for (std::size_t i = 0; i < g.size(); ++i) {
        const double moved = 0.9 * u[i] + g[i];
        const double grown = v[i] + (nesterov ? 0.9 * moved + g[i] : moved);
        EXPECT_NEAR(grown, sent[i] + v_after[i], 1e-5) << options;
        if (sent[i] != 0) {
          EXPECT_EQ(v_after[i], 0);
        }
        EXPECT_NEAR(u_after[i], masking && sent[i] != 0 ? 0 : moved, 1e-5) << options;
      }
      u = u_after;
      v = v_after;
    }
  }
}

TEST(Dgc, VectorsTravelWholeWithOrdinaryMomentum) {
  auto exchange = exchange_of("ratio=0.01,beta=0.5");
  const OwnedGradients gradient{{0, 3, 1, {1, -2, 4}}};
  EXPECT_EQ(flat(exchange.mean({gradient})), (std::vector<float>{1, -2, 4}));
  EXPECT_EQ(flat(exchange.mean({gradient})), (std::vector<float>{1.5F, -3, 6}));
  EXPECT_EQ(exchange.phases()[0].up[0].payload().size(), 12U);  // no coordinates
}

TEST(Dgc, ASampledThresholdKeepsNearlyTheLargest) {
  const std::vector<MatrixShape> shapes{{"", 300, 400}};
  auto sampled = exchange_of("ratio=0.01");
  for (std::uint32_t step = 0; step < 5; ++step) {
    const auto sent = flat(sampled.mean({normal_gradients(shapes, step)}));
    const auto v = state_of(sampled.worker(0), "dgc.v");
    float least = 1e30F, most_left = 0;
    int entries = 0;
    for (const float x : sent) {
      if (x == 0) continue;
      ++entries;
      least = std::min(least, std::abs(x));
    }
    for (const float x : v) most_left = std::max(most_left, std::abs(x));
    EXPECT_LE(entries, 1200);
    EXPECT_GE(entries, 800);  // 0.8 k; with fewer, the threshold would have been corrected
    EXPECT_LE(most_left, 1.0001F * least);  // the kept values are the largest
  }
}

TEST(Dgc, CorrectionsFindAThresholdThatTheSampleMissed) {
  // One value in a hundred is large. The sample contains either only large values or none.
  auto gradient = make_gradients({{"", 100, 100}}, [](std::int64_t i) {
    return i % 100 == 0 ? 1.0F + 1e-3F * static_cast<float>(i) : 1e-3F;
  });
  auto exchange = exchange_of("ratio=0.01");
  int least = 100;
  for (int step = 0; step < 20; ++step) {
    int entries = 0;
    for (const float x : flat(exchange.mean({gradient}))) entries += x != 0 ? 1 : 0;
    EXPECT_LE(entries, 100);
    least = std::min(least, entries);
  }
  EXPECT_GT(least, 0);
}

TEST(Dgc, ClippingIsLocalAndBeforeMomentum) {
  auto exchange = exchange_of("ratio=1,clip=1", 4);
  const OwnedGradients large{{0, 2, 1, {3, 4}}}, small{{0, 2, 1, {0.3F, 0}}};
  const auto out = flat(exchange.mean({large, small, small, small}));
  EXPECT_NEAR(out[0], (0.5 * 0.6 + 3 * 0.3) / 4, 1e-6);  // 5 becomes 1 / sqrt(4); 0.3 stays
  EXPECT_NEAR(out[1], 0.5 * 0.8 / 4, 1e-6);
}

TEST(Dgc, WarmUpFallsInFiveStages) {
  const auto entries = [](const std::string& options) {
    auto exchange = exchange_of("sample=1,warmup=10," + options);
    std::vector<std::size_t> counts;
    for (std::uint32_t step = 0; step < 12; ++step) {
      exchange.mean({normal_gradients({{"", 64, 64}}, step)});
      counts.push_back(exchange.phases()[0].up[0].payload().size() / 8);
    }
    return counts;
  };
  EXPECT_EQ(entries("ratio=0.001"),
            (std::vector<std::size_t>{1024, 1024, 256, 256, 64, 64, 16, 16, 5, 5, 5, 5}));
  std::vector<std::size_t> expected;
  for (const int stage : {1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6}) {
    expected.push_back(std::size_t(std::ceil(std::pow(0.001, stage / 6.0) * 4096)));
  }
  EXPECT_EQ(entries("ratio=0.001,stages=exponential"), expected);
}

}  // namespace
}  // namespace terse
