// The advisor's formulas against the times of the actual messages in the modelled network.
#include "examples/advise/advice.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "examples/run/shape_list.hpp"

namespace terse::run {
namespace {

RunConfig config_of(const std::string& method, std::int64_t workers) {
  RunConfig config;
  config.compressor = method;
  config.workers = workers;
  config.network = "1gbe";
  complete(config);
  return config;
}

// All sizes are multiples of the number of workers, or of 32 times that number for sliced methods.
TEST(Advice, NetworkTimeIsThatOfTheMessages) {
  for (const char* method : {"none", "vote:beta=0.9", "sign+ef", "topk:k=7+ef",
                             "powersgd:rank=2+ef", "randomk:k=64+ef", "onebit+ef"}) {
    for (const std::int64_t workers : {2, 4, 8}) {
      SyntheticGradients gradients(parse_shapes("128x64,64x128"), workers, 1);
      const auto config = config_of(method, workers);
      const auto known = measure_method(config, gradients, 1);
      const auto simulated = time_step(config, gradients, 1, LocalWork::declared);
      EXPECT_NEAR(simulated.seconds, known.network_seconds(workers, 50e-6, 1e9 / 8), 1e-12)
          << method << ", " << workers << " workers";
    }
  }
}

MeasuredMethod known(bool linear, double up, double encode) {
  MeasuredMethod m{.spec = "m", .traits = {.linear = linear}, .workers = 4, .up = up};
  m.local[Part::encode] = encode;
  return m;
}

TEST(Advice, AtTheBreakEvenBothTakeTheSameTime) {
  const auto none = known(true, 40e6, 0);
  const Advice advice{.latency = 20e-6, .methods = {none}};
  for (const bool linear : {true, false}) {
    for (const std::int64_t workers : {2, 4, 16}) {
      const auto method = known(linear, 1e6, 0.02);
      const auto even = break_even(method, none, workers, advice.latency);
      ASSERT_GT(even.below, 0);
      ASSERT_FALSE(std::isinf(even.below));
      const auto gain = [&](double rate) {
        return advice.step_seconds(none, workers, rate) -
               advice.step_seconds(method, workers, rate);
      };
      EXPECT_NEAR(gain(even.below), 0, 1e-12);
      EXPECT_GT(gain(even.below / 2), 0);
      EXPECT_LT(gain(even.below * 2), 0);
    }
  }
}

TEST(Advice, SomeMethodsAlwaysWinAndSomeNever) {
  const auto none = known(true, 40e6, 0.01);
  EXPECT_EQ(to_string(break_even(known(true, 1e6, 0.005), none, 4, 0)), "always");
  // The gather of many packets sends more than the ring: 15 · 10 MB against 2 · 15/16 · 40 MB.
  EXPECT_EQ(to_string(break_even(known(false, 10e6, 0.02), none, 16, 0)), "never");
  EXPECT_EQ(to_string(break_even(known(false, 10e6, 0.005), none, 16, 0)), "> 120 Gbps");
}

TEST(Advice, AGathersLocalWorkGrowsWithTheWorkers) {
  MeasuredMethod gather = known(false, 1, 1), linear = known(true, 1, 1);
  for (auto* m : {&gather, &linear}) {
    m->local[Part::exchange] = 3;
    m->local[Part::decode] = 4;
  }
  EXPECT_NEAR(gather.local_seconds(4), 8, 1e-12);
  EXPECT_NEAR(linear.local_seconds(4), 8, 1e-12);
  EXPECT_NEAR(gather.local_seconds(16), 1 + 15 + 16, 1e-12);
  EXPECT_NEAR(linear.local_seconds(16), 1 + 3 * (15.0 / 16) / (3.0 / 4) + 4, 1e-12);
}

TEST(Advice, TheTableHas80Columns) {
  SyntheticGradients gradients(parse_shapes("64x64,64"), 2, 1);
  Advice advice{.compute = 12.345, .latency = 20e-6};
  for (const char* method : {"none", "vote:beta=0.9", "topk:ratio=0.01+ef", "sign+ef"}) {
    advice.methods.push_back(measure_method(config_of(method, 2), gradients, 1));
  }
  const auto text = table_text(advice);
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = text.find('\n', begin);
    EXPECT_LE(end - begin, 80U) << text.substr(begin, end - begin);
    begin = end + 1;
  }
  EXPECT_NE(chart_svg(advice).find("topk:ratio=0.01+ef"), std::string::npos);
}

}  // namespace
}  // namespace terse::run
