// What the claims of papers are decided by: intervals, shapes of distributions, times of exchanges.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "examples/paper/exchange_time.hpp"
#include "examples/paper/shape_tests.hpp"
#include "examples/paper/statistics.hpp"
#include "examples/run/line_chart.hpp"
#include "tersegrad/comm/collectives/all_reduce.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/random.hpp"

namespace terse::paper {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Intervals, AreStudents) {
  const auto three = interval_of(std::vector<double>{1, 2, 3});
  EXPECT_EQ(three.mean, 2);
  EXPECT_NEAR(three.high - 2, 4.3027 / std::sqrt(3.0), 1e-4);
  EXPECT_NEAR(three.low, 4 - three.high, 1e-12);
  // Quantiles of 30 and 100 degrees of freedom, which are not in the table: 2.0423 and 1.9840.
  for (const auto& [n, quantile] : {std::pair(31, 2.0423), std::pair(101, 1.9840)}) {
    std::vector<double> values(static_cast<std::size_t>(n));
    double squares = 0;
    for (int i = 0; i < n; ++i) {
      values[static_cast<std::size_t>(i)] = i - (n - 1) / 2.0;
      squares += std::pow(i - (n - 1) / 2.0, 2);
    }
    EXPECT_NEAR(interval_of(values).high, quantile * std::sqrt(squares / (n - 1) / n), 2e-3 * n);
  }
  EXPECT_EQ(interval_of(std::vector<double>{5}).low, -kInfinity);
}

TEST(Intervals, OneSeedDecidesNothing) {
  const auto one = interval_of(std::vector<double>{50});
  EXPECT_EQ(above(one, 0, 1, "Δ").verdict, Verdict::open);
  EXPECT_EQ(below(one, 0, 1, "Δ").verdict, Verdict::open);
  EXPECT_EQ(within(one, 0, 100, 1, "Δ").verdict, Verdict::open);
  EXPECT_EQ(above(one, 0, 1, "Δ").measured, "Δ 50.0 (one seed)");
}

TEST(Verdicts, FollowFromWhereTheIntervalLies) {
  const auto interval = interval_of(std::vector<double>{-0.9, -1.0, -1.1});  // −1 ± 0.25
  EXPECT_EQ(above(interval, -2, 2, "").verdict, Verdict::holds);
  EXPECT_EQ(above(interval, 0, 2, "").verdict, Verdict::fails);
  EXPECT_EQ(above(interval, -1.1, 2, "").verdict, Verdict::open);
  EXPECT_EQ(below(interval, 0, 2, "").verdict, Verdict::holds);
  EXPECT_EQ(below(interval, -2, 2, "").verdict, Verdict::fails);
  EXPECT_EQ(within(interval, -2, 0, 2, "").verdict, Verdict::holds);
  EXPECT_EQ(within(interval, 0, 1, 2, "").verdict, Verdict::fails);
  EXPECT_EQ(within(interval, -1.1, 0, 2, "").verdict, Verdict::open);
  // t(6) 0.1 / √7 = 0.0925 is the first below the distance of 0.1 to the bound.
  EXPECT_EQ(above(interval, -1.1, 2, "Δ").measured, "Δ −1.00 [−1.25, −0.75] (7 seeds would tell)");
  EXPECT_EQ(all_of({{Verdict::holds, "a"}, {Verdict::open, "b"}}).verdict, Verdict::open);
  EXPECT_EQ(all_of({{Verdict::open, "a"}, {Verdict::fails, "b"}}).verdict, Verdict::fails);
  EXPECT_EQ(all_of({{Verdict::holds, "a"}, {Verdict::holds, "b"}}).measured, "a; b");
}

TEST(Verdicts, CasesHaveFiveStandardErrors) {
  EXPECT_EQ(in_all_cases(std::vector<Case>{{1, 0}, {-0.4, 0.1}}, "x").verdict, Verdict::holds);
  EXPECT_EQ(in_all_cases(std::vector<Case>{{1, 0}, {-0.6, 0.1}}, "x").verdict, Verdict::fails);
  EXPECT_EQ(in_all_cases(std::vector<Case>{{NAN, 1}}, "x").verdict, Verdict::fails);
}

TEST(Verdicts, CasesOfOneSeedDoNotHold) {
  const std::vector<Case> one_seed = {{1, 0}, {1, kInfinity}};
  EXPECT_EQ(in_all_cases(one_seed, "x").verdict, Verdict::open);
  EXPECT_EQ(in_all_cases(std::vector<Case>{{1, kInfinity}, {-1, 0}}, "x").verdict, Verdict::fails);
  EXPECT_EQ(agrees_in_all_cases(std::vector<Deviation>{{0, kInfinity}}, "x").verdict,
            Verdict::open);
  EXPECT_TRUE(
      in_all_cases(one_seed, "x").measured.ends_with("x: 1 (one seed has no standard error)"));
}

TEST(Verdicts, NothingIsNoStatement) {
  EXPECT_THROW(in_all_cases({}, "x"), InternalError);
  EXPECT_THROW(agrees_in_all_cases({}, "x"), InternalError);
  EXPECT_THROW(all_of({}), InternalError);
}

TEST(Verdicts, CasesNameTheErrorOfAnExcessBelowZero) {
  const std::string none = "0 of 2 cases violate it by more than five standard errors; least x: ";
  EXPECT_EQ(in_all_cases(std::vector<Case>{{0.033, 0.01}, {1, 0}}, "x").measured, none + "0.033");
  EXPECT_EQ(in_all_cases(std::vector<Case>{{1, 0.1}, {-0.03, 0.02}}, "x").measured,
            none + "−0.03, with an error of 0.02");
  EXPECT_TRUE(in_all_cases(std::vector<Case>{{-1, 0}}, "x").measured.ends_with("x: −1")) << "exact";
}

TEST(Verdicts, DeviationsHaveFiveStandardErrors) {
  const auto agree = [](const std::vector<Deviation>& deviations) {
    return agrees_in_all_cases(deviations, "measured − stated");
  };
  EXPECT_EQ(agree({{0.4, 0.1}, {-0.4, 0.1}, {0, 0}}).verdict, Verdict::holds);
  EXPECT_EQ(agree({{0, 0}, {0.6, 0.1}}).verdict, Verdict::fails);
  EXPECT_EQ(agree({{0, 0}, {-0.6, 0.1}}).verdict, Verdict::fails);
  EXPECT_EQ(agree({{NAN, 1}}).verdict, Verdict::fails);
  EXPECT_NE(agree({{0.1, 1}, {NAN, 1}, {0.2, 1}}).measured.find(": nan"), std::string::npos);
  EXPECT_EQ(agree({{0.0003, 0.1}, {-0.0018, 0.0001}}).measured,
            "1 of 2 cases deviate by more than five standard errors; "
            "largest |measured − stated|: 0.0018");
}

TEST(Slopes, AreTheExponents) {
  const std::vector<double> x = {10, 100, 1000}, y = {5, 5 / std::sqrt(10), 0.5};
  EXPECT_NEAR(log_slope(x, y), -0.5, 1e-12);
  EXPECT_THROW(differences(x, std::vector<double>{1}), Error);
}

// ---- shapes of distributions --------------------------------------------------------------------

std::vector<double> drawn(std::size_t n, double (*draw)(Philox&)) {
  Philox draws(5, {.purpose = Purpose::test});
  std::vector<double> samples(n);
  for (double& value : samples) value = draw(draws);
  return samples;
}
double normal(Philox& draws) {
  return static_cast<double>(draws.normal());
}

TEST(Shapes, TheDipIsTheDistanceToOneMode) {
  // Between two heaps far apart the distribution function rests at 1/2: a line through it, or a jump
  // on either side, misses it by a quarter.
  EXPECT_NEAR(dip(std::vector<double>{0, 0.001, 0.002, 0.003, 1, 1.001, 1.002, 1.003}), 0.25, 0.02);
  EXPECT_NEAR(dip(std::vector<double>{1, 2, 3, 4}), 0.125, 1e-6) << "1/(2n), the least of all";
  EXPECT_NEAR(dip(std::vector<double>{1, 1, 1, 1}), 0.125, 1e-6);
  const double critical = critical_dip(400, 1);
  EXPECT_NEAR(critical, 0.51 / std::sqrt(400), 0.03 / std::sqrt(400)) << "of Hartigan's dip";
  EXPECT_LT(dip(drawn(400, normal)), critical);
  EXPECT_GT(dip(drawn(400,
                      [](Philox& draws) {
                        return normal(draws) + (draws.uniform_double() < 0.5 ? -2.5 : 2.5);
                      })),
            critical);
}

TEST(Shapes, AsymmetryIsSmallForNormalSamplesAlone) {
  int rejected = 0;
  for (std::uint32_t step = 0; step < 400; ++step) {
    Philox draws(6, {.purpose = Purpose::test, .step = step});
    std::vector<double> samples(300);
    for (double& value : samples) value = normal(draws);
    rejected += rejects_symmetry(asymmetry(samples));
  }
  EXPECT_NEAR(rejected, 20, 5 * std::sqrt(20)) << "5 % of 400";
  EXPECT_TRUE(rejects_symmetry(
      asymmetry(drawn(300, [](Philox& draws) { return -std::log(1 - draws.uniform_double()); }))));
  EXPECT_EQ(asymmetry(std::vector<double>{2, 2, 2}), 0);
}

// ---- the time of an exchange --------------------------------------------------------------------

std::vector<MatrixShape> one_matrix(std::int64_t rows, std::int64_t cols) {
  return {{.name = "w", .rows = rows, .cols = cols}};
}

TEST(ExchangeTime, IsThatOfTheFastestAllReduce) {
  const auto row = time_exchange(one_matrix(512, 256), {.spec = "none",
                                                        .workers = 4,
                                                        .networks = {"10gbe", "100Mbps,1ms"},
                                                        .all_reduce = "auto",
                                                        .coding_runs = 0});
  const std::size_t bytes = sizeof(float) * 512 * 256;
  EXPECT_EQ(row["payload_bytes"], bytes);
  const double fast = all_reduce_seconds(AllReduce::halving, 4, bytes, {20e-6, 10e9 / 8});
  EXPECT_NEAR(network_seconds(row, "10gbe"), fast, 1e-6) << "but for headers";
  const double slow = all_reduce_seconds(AllReduce::halving, 4, bytes, {1e-3, 100e6 / 8});
  EXPECT_NEAR(network_seconds(row, "100Mbps,1ms"), slow, 1e-4);
  EXPECT_EQ(exchange_seconds(row, "10gbe"), network_seconds(row, "10gbe")) << "no coding";
}

TEST(ExchangeTime, OfAGatheredPacketGrowsWithTheWorkers) {
  for (const std::int64_t workers : {2, 4}) {
    const auto row = time_exchange(one_matrix(512, 256), {.spec = "vote:exchange=gather",
                                                          .workers = workers,
                                                          .networks = {"1Gbps,0s"},
                                                          .all_reduce = "auto",
                                                          .coding_runs = 0});
    const double bytes = 32 + 512 * 256 / 8.0;
    EXPECT_NEAR(network_seconds(row, "1Gbps,0s"), static_cast<double>(workers - 1) * bytes / 125e6,
                1e-9);
  }
}

TEST(ExchangeTime, IsHiddenByBackwardButForTheLastBucket) {
  std::vector<MatrixShape> shapes;
  for (int k = 0; k < 4; ++k) shapes.push_back({.name = "w", .rows = 128, .cols = 256});
  const std::string network = "1Gbps,0s";
  const TimedMethod method{
      .spec = "none", .workers = 2, .networks = {network}, .all_reduce = "auto", .coding_runs = 0};
  auto overlapped = method;
  overlapped.buckets = 4;
  overlapped.compute = 100;
  const double whole = network_seconds(time_exchange(shapes, method), network);
  EXPECT_NEAR(network_seconds(time_exchange(shapes, overlapped), network), whole / 4, whole / 1000);
}

// So that `paper pays` has the times of all bandwidths from those of two.
TEST(ExchangeTime, IsAffineInTheInverseOfTheRate) {
  const std::vector<double> rates = {10e6, 1e9, 100e9};
  for (const char* spec : {"none", "fp16:reduce=wide", "powersgd:rank=2+ef", "vote:beta=0.9",
                           "sign+ef", "topk:ratio=0.01+ef"}) {
    TimedMethod method{.spec = spec, .workers = 8, .networks = {}, .coding_runs = 0};
    for (const double rate : rates) method.networks.push_back(fmt::format("{:.0f}bps,20us", rate));
    const auto row = time_exchange(one_matrix(64, 48), method);
    std::vector<double> seconds;
    for (const auto& network : method.networks) seconds.push_back(network_seconds(row, network));
    const double bits = (seconds[0] - seconds[2]) / (1 / rates[0] - 1 / rates[2]);
    EXPECT_NEAR(seconds[1], seconds[2] + bits * (1 / rates[1] - 1 / rates[2]), 1e-9) << spec;
  }
}

TEST(ExchangeTime, OfCodingIncludesTheReadingOfTheMean) {
  const auto row = time_exchange(one_matrix(4096, 2048), {.spec = "powersgd:rank=2",
                                                          .workers = 2,
                                                          .networks = {},
                                                          .all_reduce = "auto",
                                                          .coding_runs = 1});
  // The mean, 34 MB, is computed from its factors when it is read.
  EXPECT_GT(coding_seconds(row) - encode_seconds(row), 0.3e-3);
}

TEST(ExchangeTime, IsTheMedianOfTheRuns) {
  const nlohmann::json row = {{"spec", "sign+ef"},
                              {"network", {{"10gbe", 5}}},
                              {"encode", {1, 100, 2}},
                              {"decode", {10, 30, 20}}};
  EXPECT_EQ(encode_seconds(row), 2);
  EXPECT_EQ(coding_seconds(row), 22);
  EXPECT_EQ(exchange_seconds(row, "10gbe"), 27);
}

// Nor has it marks without end.
TEST(LineCharts, HaveNoPlaceForZeroOnALogarithmicAxis) {
  const auto text = [](double value) { return fmt::format("{:g}", value); };
  run::LineChart chart{.title = "bytes of one worker",
                       .x = {.label = "bytes", .logarithmic = true, .text = text},
                       .y = {.label = "accuracy", .text = text},
                       .curves = {{.name = "sign", .points = {{1, 50}, {1000, 60}}}}};
  EXPECT_NE(to_svg(chart).find(">1000<"), std::string::npos);
  chart.curves[0].points[0].first = 0;
  EXPECT_THROW(to_svg(chart), InternalError);
  chart.curves[0].points[0] = {1, kInfinity};
  EXPECT_THROW(to_svg(chart), InternalError);
}

}  // namespace
}  // namespace terse::paper
