// Tests of chains, in which a compressor encodes the values that a sparse compressor has chosen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/testing/exchange.hpp"
#include "tersegrad/optim/testing/state.hpp"

namespace terse {
namespace {

using testing::HasSubstr;

std::string refusal(std::string_view spec) {
  try {
    make_compressor(spec);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no UsageError";
}

TEST(Chain, SpecStringsRoundTrip) {
  const auto written = make_compressor("topk:ratio=0.1+sign+ef")->spec();
  EXPECT_EQ(written,
            "topk:ratio=0.1,warmup=0,scope=tensor+sign:scale=l1,scope=tensor+ef:target="
            "local,lr=outside");
  EXPECT_EQ(make_compressor(written)->spec(), written);
}

TEST(Chain, WhatCannotBeIsRefusedWithTheReason) {
  EXPECT_THAT(refusal("topk+randomk"), HasSubstr("randomk cannot code values"));
  EXPECT_THAT(refusal("topk+powersgd"), HasSubstr("packets are added up"));
  EXPECT_THAT(refusal("topk+svd"), HasSubstr("it factors matrices"));
  for (const std::string coder : {"sign:scope=model", "stochastic_sign:scope=model"}) {
    EXPECT_THAT(refusal("topk+" + coder), HasSubstr("one norm for the model"));
    EXPECT_NE(make_compressor("topk:scope=model+" + coder), nullptr);
  }
  EXPECT_THAT(refusal("topk+atomo"), HasSubstr("it factors matrices"));
  EXPECT_THAT(refusal("topk+vote"), HasSubstr("voted on"));
  EXPECT_THAT(refusal("topk+topk"), HasSubstr("topk cannot code values"));
  EXPECT_THAT(refusal("none+sign"),
              HasSubstr("a sparse stage right before sign, which codes its values; got none"));
  EXPECT_THAT(refusal("randomk+sign"), HasSubstr("a sparse stage right before sign"));
  EXPECT_THAT(refusal("topk+ef+sign"), HasSubstr("a sparse stage right before sign"));
  EXPECT_THAT(refusal("topk+sign+sign"), HasSubstr("they are already coded"));
  EXPECT_THAT(refusal("threshold+sign"), HasSubstr("one bit"));
  EXPECT_THAT(refusal("wangni+sign"), HasSubstr("have the same magnitude"));
  EXPECT_THAT(refusal("dgc+sign"), HasSubstr("write topk+CODER+ef"));
}

TEST(Chain, PayloadIsCountCoordinatesAndWhatTheCoderSays) {
  TestExchange exchange([] { return make_compressor("topk:k=2+sign"); }, 1);
  const auto out = flat(exchange.mean({{{0, 4, 1, {1, -5, 0, 3}}, {1, 3, 1, {0, 2, -2}}}}));
  EXPECT_EQ(out, (std::vector<float>{0, -4, 0, 4, 0, 2, -2}));
  const auto& packet = exchange.phases()[0].up[0];
  ASSERT_EQ(packet.words().size(), 1U + 4U + 2U + 1U);
  EXPECT_EQ(packet.words()[0], 4U);
  EXPECT_THAT(packet.words().subspan(1, 4), testing::ElementsAre(1, 3, 5, 6));
  EXPECT_EQ(packet.floats()[5], 4);  // mean magnitude of the chosen values
  EXPECT_EQ(packet.floats()[6], 2);
  EXPECT_EQ(packet.words()[7], 0b1001U);
}

TEST(Chain, ErrorFeedbackSubtractsWhatTheCoderSaid) {
  const std::vector<MatrixShape> shapes{{"", 12, 9}, {"", 50, 1}};
  TestExchange exchange([] { return make_compressor("topk:ratio=0.2+sign+ef"); }, 1);
  std::vector<double> came_in(158), went_out(158);
  for (std::uint32_t step = 0; step < 8; ++step) {
    const auto gradient = normal_gradients(shapes, step);
    const auto g = flat(gradient), out = flat(exchange.mean({gradient}));
    for (std::size_t i = 0; i < g.size(); ++i) {
      came_in[i] += g[i];
      went_out[i] += out[i];
    }
  }
  const auto residual = residual_of(exchange.worker(0));
  double lost_by_the_coder = 0;
  for (std::size_t i = 0; i < residual.size(); ++i) {
    EXPECT_NEAR(came_in[i], went_out[i] + residual[i], 1e-5);
    if (went_out[i] != 0) lost_by_the_coder += std::abs(residual[i]);
  }
  EXPECT_GT(lost_by_the_coder, 1);
}

}  // namespace
}  // namespace terse
