// The size of real packets against the data volumes in the PowerSGD paper, in MiB per epoch and
// worker: 24 steps of ResNet-18 and 70 of the LSTM (arXiv 1905.13727; reconstructed from the
// shapes, see optim/testing/shapes.hpp).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tersegrad/optim/testing/exchange.hpp"

namespace terse {
namespace {

std::int64_t values_in(const std::vector<MatrixShape>& shapes) {
  return std::accumulate(
      shapes.begin(), shapes.end(), std::int64_t{0},
      [](std::int64_t sum, const auto& shape) { return sum + shape.rows * shape.cols; });
}

// The mean of two steps, because `powersgd:alternate` sends one factor in the first step and the
// other one in the second.
double mib_per_epoch(const std::string& spec, OwnedGradients& gradients, int steps) {
  constexpr int kMeasured = 2;
  auto means = gradients;
  const auto views = views_of(gradients), out = views_of(means);
  const auto compressor = make_compressor(spec);
  std::size_t bytes = 0;
  for (Round round{.seed = 1, .count = count(views)}; round.step < kMeasured; ++round.step) {
    for (round.phase = 0; round.phase < compressor->traits(round.step).phases; ++round.phase) {
      Packet up;
      compressor->encode(round, views, up);
      bytes += up.payload().size();
      if (compressor->traits(round.step).linear) decode_to(out, *compressor, round, up);
    }
  }
  return static_cast<double>(bytes) / kMeasured * steps / (1 << 20);
}

// Values that differ and are cheap to generate. The sizes must not depend on the values.
OwnedGradients some_gradients(const std::vector<MatrixShape>& shapes) {
  return make_gradients(shapes, [](std::int64_t i) { return static_cast<float>(i % 1009 - 504); });
}

TEST(MessageBytes, ShapeListsAreThePapers) {
  EXPECT_EQ(values_in(resnet18_shapes()), 11173962);
  EXPECT_EQ(resnet18_shapes().size(), 62U);
  EXPECT_EQ(values_in(resnet50_shapes()), 25557032);
  EXPECT_EQ(resnet50_shapes().size(), 161U);
  EXPECT_EQ(values_in(lstm_shapes()), 28949319);
}

TEST(MessageBytes, ResNet18) {
  auto gradients = some_gradients(resnet18_shapes());
  const auto mib = [&](const std::string& spec, int digits) {
    return fmt::format("{:.{}f}", mib_per_epoch(spec, gradients, 24), digits);
  };
  EXPECT_EQ(mib("none", 1), "1023.0");
  EXPECT_EQ(mib("powersgd:rank=1", 2), "4.21");
  EXPECT_EQ(mib("powersgd:rank=2", 2), "7.53");
  EXPECT_EQ(mib("powersgd:rank=4", 2), "14.18");
  EXPECT_EQ(mib("powersgd:rank=7", 2), "24.16");
  EXPECT_EQ(mib("vote", 2), "31.97");
  EXPECT_EQ(mib("sign", 2), "31.97");
  // k = floor(N / 2c): half of the ratio 1/c, because an entry has a coordinate too.
  EXPECT_EQ(mib("topk:ratio=0.015625", 2), "31.97");             // c = 32
  EXPECT_EQ(mib("topk:ratio=0.003676470588235294", 2), "7.52");  // c = 136
  EXPECT_EQ(mib("atomo:rank=2", 1), "113.1");
  // The volumes that the paper lists for unbiased rank 1 and 2 are those of one factor per step,
  // not of M U of that rank.
  EXPECT_EQ(mib("powersgd:rank=1,alternate", 2), "2.54");
  EXPECT_EQ(mib("powersgd:rank=2,alternate", 2), "4.21");
  EXPECT_EQ(mib("unbiased_rank:rank=1", 2), "1.32");
  EXPECT_EQ(mib("unbiased_rank:rank=2", 2), "1.76");
}

TEST(MessageBytes, Lstm) {
  auto gradients = some_gradients(lstm_shapes());
  const auto mib = [&](const std::string& spec, int digits) {
    return fmt::format("{:.{}f}", mib_per_epoch(spec, gradients, 70), digits);
  };
  EXPECT_EQ(mib("none", 1), "7730.3");
  EXPECT_EQ(mib("powersgd:rank=1", 2), "24.96");
  EXPECT_EQ(mib("powersgd:rank=2", 2), "38.05");
  EXPECT_EQ(mib("powersgd:rank=4", 2), "64.23");
  EXPECT_EQ(mib("vote", 1), "241.6");
  EXPECT_EQ(mib("sign", 1), "241.6");
}

}  // namespace
}  // namespace terse
