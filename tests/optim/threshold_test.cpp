// Tests of the threshold compressor alone and with error feedback.
#include <gtest/gtest.h>

#include <limits>

#include "exchanges.hpp"

namespace terse {
namespace {

TEST(Threshold, SaysWhatExceedsTau) {
  TestExchange exchange([] { return make_compressor("threshold:tau=0.5"); }, 1);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const auto out = flat(exchange.mean({vector_of({0.5F, -3, 0.6F, 0, nan, -infinity, 0.1F})}));
  EXPECT_EQ(out, (std::vector<float>{0, -0.5F, 0.5F, 0, 0, -0.5F, 0}));
  const auto words = exchange.phases()[0].up[0].words();
  EXPECT_EQ(std::vector(words.begin(), words.end()),
            (std::vector<std::uint32_t>{0x80000001U, 2U, 0x80000005U}));
}

TEST(Threshold, WithErrorFeedbackACoordinateSaysItselfInPieces) {
  TestExchange exchange([] { return make_compressor("threshold:tau=1+ef"); }, 1);
  std::vector<float> sum(3);
  for (int step = 0; step < 10; ++step) {
    const auto out = flat(exchange.mean({vector_of({0.25F, step == 0 ? -4.5F : 0.0F, 0})}));
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += out[i];
  }
  EXPECT_EQ(sum, (std::vector<float>{2, -4, 0}));  // 2.5 and -4.5, up to a residual of at most tau
}

}  // namespace
}  // namespace terse
