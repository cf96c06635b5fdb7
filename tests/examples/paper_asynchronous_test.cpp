// The claims of 1910.09466 about trained networks: verdicts on given rows, and what is exact.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "examples/paper/cell_map.hpp"
#include "examples/paper/claim.hpp"
#include "examples/paper/methods.hpp"
#include "examples/paper/training_experiments.hpp"
#include "program_fixture.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

Finding decide(const char* claim, const Rows& rows) {
  return find_claim(staleness(Scale::whole), claim).decide(rows);
}

// A row of three seeds around a score.
json scored(double score) {
  json seeds = json::array();
  for (const double offset : {-0.01, 0.0, 0.01}) seeds.push_back({{"score", score + offset}});
  return {{"lr", 0.1}, {"seeds", seeds}};
}

Rows of_ratios(const std::vector<std::vector<double>>& scores) {
  Rows rows;
  const std::vector<std::string> names = {"dense", "top-10", "top-1", "top-0.1"};
  const std::vector<std::string> workers = {"async-4/", "async-16/", "async-64/"};
  for (std::size_t m = 0; m < names.size(); ++m) {
    for (std::size_t w = 0; w < workers.size(); ++w) {
      rows.add(workers[w] + names[m], scored(scores[m][w]));
    }
  }
  return rows;
}

TEST(AsynchronousClaims, HarmlessPushesLoseAtMostAPointForEveryNumberOfWorkers) {
  const auto rows = of_ratios({{86, 84, 82}, {86, 83.5, 82.5}, {86, 83.5, 80.5}, {85, 82, 73}});
  EXPECT_EQ(decide("harmless-ten", rows).verdict, Verdict::holds);
  EXPECT_EQ(decide("harmless-one", rows).verdict, Verdict::fails) << "at 64 workers";
  EXPECT_EQ(decide("improves", rows).verdict, Verdict::fails) << "at 16 workers";
}

TEST(AsynchronousClaims, HarmGrowsIfItDoesInEveryStepAlongBothAxes) {
  const auto grows = of_ratios({{90, 88, 86}, {89.9, 87.5, 85}, {89, 86, 83}, {88, 83, 77}});
  EXPECT_EQ(decide("ratio-workers", grows).verdict, Verdict::holds);
  const auto once_less = of_ratios({{90, 88, 86}, {89.9, 87.5, 85}, {90, 86, 83}, {88, 83, 77}});
  const auto finding = decide("ratio-workers", once_less);
  EXPECT_EQ(finding.verdict, Verdict::fails);
  EXPECT_NE(finding.measured.find(
                "grows in 5 of 6 steps to a smaller ratio; the smallest Δ of the harm: −0.10"),
            std::string::npos)
      << finding.measured;
  EXPECT_NE(finding.measured.find("grows in 6 of 6 steps to more workers"), std::string::npos);
  EXPECT_NE(finding.measured.find("top-10 loses with W = 4, 16, 64: 0.10, 0.50, 1.00;"),
            std::string::npos)
      << finding.measured;
  const auto later = of_ratios({{90, 88, 86}, {89.9, 87.5, 85.8}, {89, 86, 83}, {88, 83, 77}});
  EXPECT_EQ(decide("ratio-workers", later).verdict, Verdict::fails) << "more workers, top 10 %";
  const auto all_fall = of_ratios({{90, 88, 86}, {89, 87, 85}, {88, 86, 84}, {87, 85, 83}});
  EXPECT_NE(decide("ratio-workers", all_fall).verdict, Verdict::holds)
      << "dense pushes fall with the workers as the others do";
}

TEST(AsynchronousClaims, PicturesShowTheMeansOfTheRows) {
  auto rows = of_ratios({{86, 84, 82}, {86, 83.5, 82.5}, {86, 83.5, 80.5}, {85, 82, 73}});
  for (const char* method : {"dense", "top-10", "top-1"}) {
    rows.add(std::string("async-1/") + method, scored(87));
  }
  for (const char* method : {"dense", "top-10", "top-1"}) {
    json seeds = json::array();
    for (const double loss : {0.4, 0.6}) {
      seeds.push_back({{"steps", 200},
                       {"curve",
                        {{{"epoch", 0.5}, {"score", 70}, {"train_loss", 2 * loss}},
                         {{"epoch", 1}, {"score", 80}, {"train_loss", loss}}}}});
    }
    rows.add(std::string("async-16-followed/") + method, {{"seeds", seeds}});
  }
  const auto paper = staleness(Scale::whole);
  const auto charts = find_claim(paper, "harmless-ten").draw(rows);
  ASSERT_EQ(charts.size(), 3U);
  const auto expect_points = [](const run::Curve& curve,
                                const std::vector<std::pair<double, double>>& points) {
    ASSERT_EQ(curve.points.size(), points.size());
    for (std::size_t i = 0; i < points.size(); ++i) {
      EXPECT_EQ(curve.points[i].first, points[i].first);
      EXPECT_NEAR(curve.points[i].second, points[i].second, 1e-9);
    }
  };
  ASSERT_EQ(charts[0].curves.size(), 3U);
  expect_points(charts[0].curves.front(), {{1, 87}, {4, 86}, {16, 84}, {64, 82}});
  expect_points(charts[1].curves.back(), {{100, 1}, {200, 0.5}});  // losses over the pushes
  expect_points(charts[2].curves.back(), {{100, 70}, {200, 80}});
}

TEST(AsynchronousClaims, TheMapOfTheHarmHasACellForEachRatioAndNumberOfWorkers) {
  const auto rows = of_ratios({{86, 84, 82}, {86, 83.5, 82.5}, {86, 83.5, 80.5}, {85, 82, 73}});
  const auto svg = find_claim(staleness(Scale::whole), "ratio-workers").draw_svg(rows);
  for (const char* text : {">10 %<", ">1 %<", ">0.1 %<", ">4<", ">16<", ">64<", ">0.00<", ">0.50<",
                           ">−0.50<", ">1.50<", ">1.00<", ">2.00<", ">9.00<"}) {
    EXPECT_NE(svg.find(text), std::string::npos) << text;
  }
}

TEST(CellMaps, ColourAValueByItsSignAndSize) {
  EXPECT_EQ(colour_of(0, 10), "#ffffff");
  EXPECT_EQ(colour_of(10, 10), colour_of(20, 10));
  EXPECT_NE(colour_of(5, 10), colour_of(10, 10));
  EXPECT_NE(colour_of(5, 10), colour_of(-5, 10));
}

// Exponents for 1 and 64 workers.
Rows of_stable_rates(const std::vector<int>& few, const std::vector<int>& many,
                     const std::vector<int>& damped) {
  json seeds = json::array();
  for (std::size_t i = 0; i < few.size(); ++i) {
    json seed = {{"dense", {few[i], many[i]}}, {"staleness-aware", {few[i], damped[i]}}};
    for (const char* method : {"top-10", "top-1"}) seed[method] = {few[i], many[i] - 1};
    seeds.push_back(seed);
  }
  Rows rows;
  rows.add("async/stable-rates", {{"workers", {1, 64}}, {"seeds", seeds}});
  rows.add("async-64/dense", scored(82));
  rows.add("async-64/staleness-aware", scored(80));
  return rows;
}

TEST(AsynchronousClaims, StableRatesAreComparedSeedBySeed) {
  const auto rows = of_stable_rates({0, 0, -1}, {-2, -2, -3}, {0, 0, -1});
  const auto finding = decide("stable-rate", rows);
  EXPECT_EQ(finding.verdict, Verdict::holds);
  EXPECT_NE(finding.measured.find("(1, 1, 0.5) for W = 1, (0.25, 0.25, 0.125) for W = 64"),
            std::string::npos)
      << finding.measured;
  EXPECT_NE(finding.measured.find("top-1 for W = 1, 64: 0.79, 0.099"), std::string::npos)
      << finding.measured;
  const auto picture = find_claim(staleness(Scale::whole), "stable-rate").draw(rows);
  ASSERT_EQ(picture.front().curves.size(), 4U);
  EXPECT_NEAR(picture.front().curves[0].points[1].second, std::exp2(-7.0 / 3), 1e-9);
  EXPECT_EQ(decide("damping", rows).verdict, Verdict::holds);
  EXPECT_EQ(decide("damping", of_stable_rates({0, 0, 0}, {-2, -2, -2}, {0, -1, 0})).verdict,
            Verdict::fails);
  EXPECT_EQ(decide("stable-rate", of_stable_rates({0, 0, 0}, {0, 0, 0}, {0, 0, 0})).verdict,
            Verdict::open)
      << "an interval at zero";
}

TEST(AsynchronousClaims, AFixedRateDegradesStepByStepUntilRunsDiverge) {
  const auto rows = [](double at_sixteen, int stable_seeds) {
    json seeds = json::array();
    for (int seed = 0; seed < 3; ++seed) {
      json of_workers = json::array();
      for (const double score : {86.0, 84.0, at_sixteen, 60.0, 10.0}) {
        of_workers.push_back({{"score", score + 0.1 * seed}, {"stable", true}});
      }
      of_workers.back()["stable"] = seed < stable_seeds;
      json of_seed;
      for (const char* method : {"dense", "top-10", "top-1", "staleness-aware"}) {
        of_seed[method] = of_workers;
      }
      seeds.push_back(of_seed);
    }
    Rows all;
    all.add("async/fixed-rate",
            {{"rate", 0.25}, {"workers", {1, 4, 16, 64, 256}}, {"seeds", seeds}});
    return all;
  };
  const auto finding = decide("fixed-rate", rows(80, 0));
  EXPECT_EQ(finding.verdict, Verdict::holds);
  EXPECT_NE(finding.measured.find("Δ dense, W = 16 − 4: −4.00"), std::string::npos)
      << finding.measured;
  EXPECT_NE(finding.measured.find("0 of 3 runs with W = 256 are stable"), std::string::npos);
  EXPECT_EQ(decide("fixed-rate", rows(85, 0)).verdict, Verdict::fails) << "better with 16";
  EXPECT_EQ(decide("fixed-rate", rows(80, 3)).verdict, Verdict::fails) << "all are stable";
  EXPECT_EQ(decide("fixed-rate", rows(80, 1)).verdict, Verdict::open) << "one is stable";
}

TEST(AsynchronousClaims, TheBestMomentumIsThatOfTheHighestScore) {
  const auto rows = [](double many_at_nine) {
    json seeds = json::array();
    for (int seed = 0; seed < 3; ++seed) {
      seeds.push_back({{"1", {80, 81, 82}}, {"16", {83, 82, many_at_nine}}});
    }
    Rows all;
    all.add("async/momentum", {{"momenta", {0, 0.5, 0.9}}, {"seeds", seeds}});
    return all;
  };
  EXPECT_EQ(decide("momentum", rows(50)).verdict, Verdict::holds);
  const auto paper = staleness(Scale::whole);
  const auto picture = find_claim(paper, "momentum").draw(rows(50));
  ASSERT_EQ(picture.front().curves.size(), 2U);
  EXPECT_NEAR(picture.front().curves[1].points[1].second, 82, 1e-9) << "16 workers, 0.5";
  EXPECT_EQ(decide("momentum", rows(84)).verdict, Verdict::open) << "0.9 for both";
}

// Evaluations after 10 and 20 seconds.
json timed_seed(double first, double second, double faster) {
  return {{"score", second},
          {"curve",
           {{{"score", first}, {"virtual_seconds", 10 / faster}},
            {{"score", second}, {"virtual_seconds", 20 / faster}}}}};
}
json timed_row(double first, double second, double faster) {
  const auto seed = timed_seed(first, second, faster);
  return {{"lr", 0.1}, {"seeds", {seed, seed, seed}}};
}

TEST(AsynchronousClaims, TheTimeToAnAccuracyLiesBetweenEvaluations) {
  const auto rows = [](const json& dense, const json& sparse, const json& whole_pulls) {
    Rows all;
    all.add("async-16-100mbps/dense", dense);
    all.add("async-16-100mbps/top-1", sparse);
    all.add("async-16-100mbps-whole-pulls/top-1", whole_pulls);
    return all;
  };
  const auto finding = decide(
      "time-to-accuracy", rows(timed_row(70, 90, 1), timed_row(70, 90, 4), timed_row(70, 90, 1)));
  EXPECT_EQ(finding.verdict, Verdict::holds);
  EXPECT_NE(finding.measured.find("dense / top-1: 4.00 [4.00, 4.00] (15.0 s and 3.8 s)"),
            std::string::npos)
      << finding.measured;
  EXPECT_NE(finding.measured.find("if pulls are whole models: 1.00"), std::string::npos)
      << finding.measured;
  const auto never = timed_row(70, 79, 1);
  EXPECT_EQ(decide("time-to-accuracy", rows(never, timed_row(70, 90, 1), never)).verdict,
            Verdict::holds)
      << "20 s is a lower bound for dense pushes, and 15 s are less";
  EXPECT_EQ(decide("time-to-accuracy", rows(timed_row(70, 90, 1), never, never)).verdict,
            Verdict::fails);
  EXPECT_EQ(decide("time-to-accuracy", rows(never, never, never)).verdict, Verdict::open);
  EXPECT_EQ(decide("time-to-accuracy", rows(never, timed_row(70, 90, 0.5), never)).verdict,
            Verdict::open)
      << "30 s are more than 20 s, which are a lower bound for dense pushes";
  // One seed of dense pushes arrives, and sparse ones are late with this seed alone.
  auto once = timed_row(70, 79, 1);
  once["seeds"][0] = timed_seed(70, 80, 1);
  EXPECT_EQ(decide("time-to-accuracy", rows(once, timed_row(70, 81, 4), never)).verdict,
            Verdict::holds);
  auto late = timed_row(70, 90, 4);
  late["seeds"][0] = timed_seed(70, 79, 4);
  EXPECT_EQ(decide("time-to-accuracy", rows(timed_row(70, 90, 1), late, never)).verdict,
            Verdict::open)
      << "the ratio of the first seed is an upper bound";
}

TEST(AsynchronousClaims, ARunThatDivergedHasNoBytes) {
  const auto row = [](const json& first) { return json{{"lr", 0.1}, {"seeds", {first, first}}}; };
  const json run = {{"score", 80}, {"steps", 10}, {"bytes_sent_per_worker", 1000}};
  Rows rows;
  rows.add("async-16/dense", row(run));
  rows.add("async-16/top-1", row({{"score", 10}, {"failure", "diverged"}}));
  const auto finding = decide("traffic", rows);
  EXPECT_EQ(finding.verdict, Verdict::open);
  EXPECT_EQ(finding.measured, "seed 1 diverged with top-1 pushes, so its bytes are not known");
}

TEST(AsynchronousClaims, AllMethodsOfAServerHaveConfigurationsOfTheirOwn) {
  const Method vanilla{.name = "a", .rate = 0.1};
  auto damped = vanilla;
  damped.server_rule = "staleness_aware";
  const auto setting = asynchronous(Scale::whole, 16);
  auto slow = setting;
  slow.config.network = "100mbps";
  slow.config.compute = "5ms";
  auto sparse = slow;
  sparse.config.async.sparse_pulls = true;
  std::set<std::string> all;
  for (const auto& one : {configuration_of(setting, vanilla), configuration_of(setting, damped),
                          configuration_of(slow, vanilla), configuration_of(sparse, vanilla)}) {
    all.insert(one.dump());
  }
  EXPECT_EQ(all.size(), 4U);
  // Stored rows of synchronous runs have these keys.
  const std::set<std::string> known = {"aggregate", "attack", "batch",     "compressor", "data",
                                       "epochs",    "model",  "optimizer", "partition",  "revision",
                                       "schedule",  "steps",  "topology",  "workers"};
  std::set<std::string> keys;
  const auto synchronous = configuration_of(lenet(Scale::whole), kSgd);
  for (const auto& [key, _] : synchronous.items()) keys.insert(key);
  EXPECT_EQ(keys, known);
}

class AsynchronousRuns : public ProgramFixture {};

TEST_F(AsynchronousRuns, OneWorkerIsSgdAndTrafficIsThatOfTheEntries) {
  for (const char* claim : {"one-worker", "traffic"}) {
    const auto o = run(std::string("paper 1910.09466 --quick --json --claim ") + claim);
    ASSERT_EQ(o.code, 0) << o.error;
    EXPECT_EQ(last_line(o.out)["claims"][0]["verdict"], "holds") << o.out;
  }
}

}  // namespace
}  // namespace terse::paper
