#include "tersegrad/comm/network/durations.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

constexpr int kDraws = 200'000;

struct Moments {
  double mean = 0, deviation = 0, least = 1e9;
};

Moments moments(const std::string& spec) {
  Durations durations(spec, 1, {}, 1);
  Moments m;
  double squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = durations.next(0, 0);
    m.mean += x / kDraws;
    squares += x * x / kDraws;
    m.least = std::min(m.least, x);
  }
  m.deviation = std::sqrt(std::max(0.0, squares - m.mean * m.mean));
  return m;
}

TEST(Durations, HaveTheMeanOneAndTheSpreadOfTheirLaw) {
  for (const char* spec : {"constant", "constant:jitter=0.4", "exponential", "erlang:k=4",
                           "pareto:alpha=2.5", "pareto:alpha=4"}) {
    EXPECT_NEAR(moments(spec).mean, 1, 0.01) << spec;
  }
  EXPECT_NEAR(moments("constant").deviation, 0, 1e-6);
  EXPECT_NEAR(moments("constant:jitter=0.4").deviation, 0.4 / std::sqrt(12), 0.001);
  EXPECT_NEAR(moments("exponential").deviation, 1, 0.01);
  EXPECT_NEAR(moments("erlang:k=4").deviation, 0.5, 0.005);
  // Pareto: scale 1 - 1/alpha, deviation scale · sqrt(alpha / (alpha - 2)) / (alpha - 1).
  EXPECT_NEAR(moments("pareto:alpha=4").least, 0.75, 1e-4);
  EXPECT_NEAR(moments("pareto:alpha=4").deviation, 0.75 * std::sqrt(2) / 3, 0.02);
}

TEST(Durations, AreEachWorkersOwnAndDividedByItsSpeed) {
  const std::vector<double> speeds = {1, 4};
  Durations both("exponential", 4, speeds, 7), plain("exponential", 4, {}, 7);
  for (int i = 0; i < 5; ++i) plain.next(2, 0);  // draws of another worker have no effect
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(both.next(0, 0), plain.next(0, 0));
    EXPECT_EQ(both.next(3, 0), plain.next(3, 0) / 4);  // the speed is speeds[3 % 2]
  }
  EXPECT_NE(plain.next(0, 0), plain.next(1, 0));
}

TEST(Durations, CanBeMeasured) {
  const std::vector<double> speeds = {2};
  Durations durations("measured", 1, speeds, 1);
  EXPECT_TRUE(durations.measured());
  EXPECT_EQ(durations.next(0, 3.0), 1.5);
  EXPECT_FALSE(Durations("constant", 1, {}, 1).measured());
}

TEST(Durations, SayWhatIsWrong) {
  EXPECT_EQ(parse_speeds("1,0.5,2"), (std::vector<double>{1, 0.5, 2}));
  EXPECT_TRUE(parse_speeds("").empty());
  for (const char* wrong : {"1,", ",1", "0", "-1", "1;2", "nan", "inf", "a"}) {
    EXPECT_THROW(parse_speeds(wrong), UsageError) << wrong;
  }
  for (const char* wrong : {"exponental", "erlang:k=0", "pareto:alpha=1", "constant:jitter=2",
                            "exponential:k=2", "measured:k=2"}) {
    EXPECT_THROW(Durations(wrong, 1, {}, 1), UsageError) << wrong;
  }
  for (const char* wrong : {"none", "constant:s=2000000", "uniform:s=1", "poisson:mean=501"}) {
    EXPECT_THROW(Delays(wrong, 1), UsageError) << wrong;
  }
}

TEST(Delays, NeverReachBeforeTheFirstVersion) {
  for (const char* spec : {"constant:s=9", "uniform:most=9", "geometric:mean=9", "poisson:mean=9",
                           "geometric:mean=0", "poisson:mean=0"}) {
    Delays delays(spec, 1);
    for (std::uint64_t t = 0; t < 20; ++t) EXPECT_LE(delays.next(t), t) << spec;
    EXPECT_EQ(Delays(delays.spec(), 1).spec(), delays.spec());
  }
}

}  // namespace
}  // namespace terse
