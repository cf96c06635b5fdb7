// The program paper: intervals and verdicts, stored rows, and the table of claims.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "examples/paper/claim.hpp"
#include "examples/paper/exchange_time.hpp"
#include "examples/paper/row_store.hpp"
#include "examples/paper/shape_tests.hpp"
#include "examples/paper/statistics.hpp"
#include "examples/paper/vote_experiments.hpp"
#include "program_fixture.hpp"
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

// ---- claims about times -------------------------------------------------------------------------

nlohmann::json times_of(const std::string& spec, double fast, double slow, double coding,
                        int workers = 16) {
  return {{"spec", spec},
          {"workers", workers},
          {"all_reduce", "auto"},
          {"network", {{"10gbe", fast}, {"1gbe", slow}}},
          {"encode", std::vector<double>(3, coding)},
          {"decode", std::vector<double>(3, 0.0)}};
}
Verdict verdict_of(const char* claim, const Rows& rows) {
  static const auto papers = all_papers(Scale::whole);
  return find_claim(find_paper(papers, "1905.13727"), claim).decide(rows).verdict;
}

TEST(TimeClaims, CompareExchangesWithTheirCoding) {
  // In ms on 10 Gbit/s: none 60, PowerSGD 1 + coding, random blocks 2, the others 50 + 20.
  const auto rows_with = [](double coding) {
    auto methods = nlohmann::json::array({times_of("none", 0.060, 0.600, 0)});
    for (const int rank : {1, 2, 4, 7}) {
      methods.push_back(times_of(fmt::format("powersgd:rank={}+ef", rank), 0.001, 0.004, coding));
    }
    for (const int rank : {2, 7}) {
      methods.push_back(times_of(fmt::format("randomblock:rank={}+ef", rank), 0.002, 0.02, 0));
      for (const char* stage : {"topk", "randomk"}) {
        methods.push_back(times_of(fmt::format("{}:rank={}+ef", stage, rank), 0.050, 0.500, 0.020));
      }
    }
    methods.push_back(times_of("sign+ef", 0.050, 0.500, 0.020));
    Rows rows;
    rows.add("times/resnet18-operators", {{"methods", methods}});
    rows.add("times/resnet18-compute", {{"seconds", {1.0, 1.0, 1.0}}, {"batch", 128}});
    return rows;
  };
  for (const char* claim : {"step-time", "fast-operators", "slow-network", "time-split"}) {
    EXPECT_EQ(verdict_of(claim, rows_with(0.010)), Verdict::holds) << claim;
    // Coding of 10 s is longer than what it saves, and longer still in proportion to a step.
    EXPECT_EQ(verdict_of(claim, rows_with(10)),
              claim == std::string("slow-network") ? Verdict::holds : Verdict::fails)
        << claim;
  }
}

TEST(TimeClaims, CompareSixteenWorkersWithFour) {
  const auto rows_with = [](double powersgd_growth) {
    auto methods = nlohmann::json::array();
    for (const auto& [spec, growth] : {std::pair("none", 1.25),
                                       {"powersgd:rank=2+ef", powersgd_growth},
                                       {"vote:exchange=gather", 5.0}}) {
      for (const auto& all_reduce : {"auto", "ring"}) {
        methods.push_back(times_of(spec, 1, 1, 0, 4));
        methods.back()["all_reduce"] = all_reduce;
        methods.push_back(times_of(spec, growth, growth, 0, 16));
        methods.back()["all_reduce"] = all_reduce;
      }
    }
    Rows rows;
    rows.add("times/resnet18-workers", {{"methods", methods}});
    return rows;
  };
  EXPECT_EQ(verdict_of("scaling", rows_with(1.4)), Verdict::holds);
  EXPECT_EQ(verdict_of("scaling", rows_with(1.6)), Verdict::fails);
}

// ---- claims on a perceptron ---------------------------------------------------------------------

nlohmann::json three_times(const nlohmann::json& seed) {
  return {{"lr", 0.002}, {"seeds", {seed, seed, seed}}};
}

TEST(SplitBatches, StallInTheSecondHalfOfFiveEpochs) {
  nlohmann::json curve;
  for (const auto& [score, loss] :
       {std::pair(50.0, 1.0), {78.0, 0.1}, {84.0, 0.5}, {70.0, 0.9}, {81.2, 0.4}}) {
    curve.push_back({{"score", score}, {"train_loss", loss}});
  }
  const auto paper = stochastic_sign_descent(Scale::whole);
  const auto& claim = find_claim(paper, "split-stall");
  const auto finding = [&](const nlohmann::json& seed) {
    Rows rows;
    rows.add("perceptron-split/signsgd", three_times(seed));
    rows.add("perceptron-split-constant/signsgd",
             three_times({{"score", 10}, {"failure", "diverged"}}));
    return claim.decide(rows);
  };
  const auto stalls = finding({{"score", 81.2}, {"curve", curve}});
  EXPECT_EQ(stalls.verdict, Verdict::holds);
  EXPECT_NE(stalls.measured.find("Δ of test accuracy: 0.20 [0.20, 0.20]; Δ of training loss: "
                                 "−0.100 [−0.100, −0.100]; at a constant rate a run diverged"),
            std::string::npos)
      << stalls.measured;
  curve.back()["train_loss"] = 0.6;
  EXPECT_EQ(finding({{"score", 81.2}, {"curve", curve}}).verdict, Verdict::fails);
  EXPECT_EQ(finding({{"score", 10}, {"failure", "diverged"}}).verdict, Verdict::fails);
}

TEST(Megabytes, TwoDecide) {
  const auto method = [](const char* name, double less, const std::vector<double>& decisive) {
    const auto bought = [](const std::vector<double>& scores) {
      return nlohmann::json{{"rate", 0.1}, {"steps", 9}, {"scores", scores}};
    };
    return nlohmann::json{{"name", name},
                          {"bytes", 200'000},
                          {"budgets", {bought({less, less, less}), bought(decisive)}}};
  };
  Rows rows;
  rows.add("perceptron/megabytes-128",
           {{"megabytes", {1, 2}},
            {"methods", {method("signsgd", 50, {80, 81, 82}), method("sgd", 70, {60, 61, 63})}}});
  const auto paper = stochastic_sign_descent(Scale::whole);
  const auto finding = find_claim(paper, "megabytes").decide(rows);
  EXPECT_EQ(finding.verdict, Verdict::holds);
  EXPECT_TRUE(finding.measured.starts_with("Δ signsgd − sgd, batch 128: 19.67 ["))
      << finding.measured;
}

// ---- PowerSGD's rates and residuals -------------------------------------------------------------

TEST(PowerSgdClaims, RatesAreEqualForEveryModel) {
  const auto papers = all_papers(Scale::whole);
  const auto& claim = find_claim(find_paper(papers, "1905.13727"), "same-rate");
  ASSERT_EQ(claim.experiments.size(), 6U) << "two methods, three models";
  Rows equal;
  for (const auto& name : claim.experiments) equal.add(name, {{"best", 0.1}});
  EXPECT_EQ(claim.decide(equal).verdict, Verdict::holds);
  for (const auto& name : claim.experiments) {
    Rows other = equal;
    other.add(name, {{"best", 0.2}});
    EXPECT_EQ(claim.decide(other).verdict, Verdict::fails) << name;
  }
}

TEST(PowerSgdClaims, OnlyTheAveragedResidualGrows) {
  const auto papers = all_papers(Scale::quick);
  const auto& paper = find_paper(papers, "1905.13727");
  const auto row = find_experiment(paper, "residuals/powersgd").measure({});
  const auto& seed = row["seeds"][0];
  EXPECT_LT(seed["difference"].get<double>(), 1e-12);
  EXPECT_GT(seed["difference"].get<double>(), 0) << "the residuals differ, so rounding does";
  const auto growth = [&](const char* kind) {
    return seed[kind].back().get<double>() / seed[kind].front().get<double>();
  };
  EXPECT_GT(growth("averaged"), 1.6) << "√(80/20) = 2 for a random walk";
  EXPECT_LT(growth("local"), 1.3);
}

// ---- does compression pay? ----------------------------------------------------------------------

// Rows in which 16-bit sums take 10⁸ bits / rate. A compressor takes a hundredth of that, and
// `coding` seconds beside it. `behind`: by how much its final score misses that of the others.
Rows pays_rows(const Paper& paper, double coding, double behind) {
  Rows rows;
  for (const auto& experiment : paper.experiments) {
    const auto& name = experiment.name;
    const bool compresses = !name.ends_with("/half") && !name.ends_with("/sgd");
    if (name.starts_with("times/")) {
      auto methods = nlohmann::json::array();
      for (const auto& [method, spec] : experiment.configuration["methods"].items()) {
        const bool coded = method != "half" && method != "sgd";
        for (const auto& workers : experiment.configuration["workers"]) {
          auto network = nlohmann::json::array();
          for (const double rate : experiment.configuration["bandwidths"]) {
            network.push_back((coded ? 1e6 : 1e8) / rate);
          }
          methods.push_back({{"name", method},
                             {"workers", workers},
                             {"coding", coded ? coding : 0},
                             {"network", network}});
        }
      }
      rows.add(name, {{"compute", 0.1}, {"methods", methods}});
    } else if (name.find("/tuning/") == std::string::npos) {
      const bool text = name.starts_with("lstm");
      const double less = compresses ? behind : 0;
      const double first = text ? 400 : 50, last = text ? 200 * (1 + less / 100) : 90 - less;
      rows.add(
          name,
          {{"seeds",
            {{{"score", last},
              {"steps", 100},
              {"curve", {{{"epoch", 1}, {"score", first}}, {{"epoch", 2}, {"score", last}}}}}}}});
    }
  }
  return rows;
}

TEST(PaysClaims, CountWhoIsFirstToTheScore) {
  const auto papers = all_papers(Scale::whole);
  const auto& paper = find_paper(papers, "pays");
  const auto decide = [&](const char* claim, double coding, double behind) {
    return find_claim(paper, claim).decide(pays_rows(paper, coding, behind));
  };
  // 9.9·10⁷ bits / rate saved exceed 0.02 s below 5 Gbit/s: six of the nine bandwidths.
  EXPECT_EQ(decide("pays-slow", 0.02, 0).verdict, Verdict::holds);
  EXPECT_EQ(decide("pays-fast", 0.02, 0).verdict, Verdict::fails);
  EXPECT_EQ(decide("pays-anywhere", 0.02, 0).verdict, Verdict::holds);
  EXPECT_NE(
      decide("pays-anywhere", 0.02, 0).measured.find("lstm: a compressor is first in 36 of 54"),
      std::string::npos);
  // 0.2 s below 0.5 Gbit/s: four of the nine, among them four of the five slow ones.
  EXPECT_EQ(decide("pays-slow", 0.2, 0).verdict, Verdict::holds);
  EXPECT_EQ(decide("pays-anywhere", 0.2, 0).verdict, Verdict::fails);
  // A score that is reached late counts by its steps; one that is missed never wins.
  EXPECT_EQ(decide("pays-slow", 0, 0.9).verdict, Verdict::holds);
  EXPECT_EQ(decide("pays-fast", 0, 0.9).verdict, Verdict::holds);
  EXPECT_EQ(decide("pays-slow", 0, 2.5).verdict, Verdict::fails);
}

TEST(PaysClaims, AreDrawnWithACellForEachSetting) {
  const auto papers = all_papers(Scale::whole);
  const auto& paper = find_paper(papers, "pays");
  const auto svg = find_claim(paper, "pays-anywhere").draw_svg(pays_rows(paper, 0.02, 0));
  const auto count = [&](const std::string& text) {
    int found = 0;
    for (std::size_t at = 0; (at = svg.find(text, at)) != std::string::npos; ++at) ++found;
    return found;
  };
  EXPECT_EQ(count(">half<"), 2 * 3 * 6) << "three bandwidths, six numbers of workers, two models";
  EXPECT_EQ(count(">powersgd-2<") + count(">powersgd-1<"), 2 * 6 * 6);
  EXPECT_EQ(count(">100 Gbit/s<"), 2);
}

class Papers : public ProgramFixture {};

TEST_F(Papers, ARowIsThatOfItsConfiguration) {
  const RowStore store(folder / "data");
  int measured = 0;
  const auto experiment = [&](int revision) {
    return Experiment{
        .name = "toys/one", .configuration = {{"revision", revision}}, .measure = [&](const Rows&) {
          return nlohmann::json{{"value", ++measured}};
        }};
  };
  EXPECT_FALSE(store.find(experiment(1)));
  EXPECT_EQ(store.measure(experiment(1), {}).result["value"], 1);
  EXPECT_EQ(store.find(experiment(1))->result["value"], 1);
  EXPECT_FALSE(store.find(experiment(2))) << "of another revision";
  const auto row = nlohmann::json::parse(read(folder / "data/toys/one.json"));
  EXPECT_FALSE(row["cpu"].get<std::string>().empty());
  EXPECT_GE(row["seconds"].get<double>(), 0);
  std::ofstream(folder / "data/toys/one.json") << "{\"configuration\": {";
  EXPECT_THROW(store.find(experiment(1)), Error);
}

TEST_F(Papers, TheTableHasEveryClaim) {
  std::ifstream table(fs::path(TERSE_SOURCE_DIR) / "docs/papers/README.md");
  std::set<std::pair<std::string, std::string>> stated;
  for (std::string line; std::getline(table, line);) {
    if (!line.starts_with("| `")) continue;
    const auto end = line.find("` | "), next = line.find(" | ", end + 4);
    stated.emplace(line.substr(3, end - 3), line.substr(end + 4, next - end - 4));
  }
  std::map<std::string, nlohmann::json> configurations;
  for (const auto& paper : all_papers(Scale::whole)) {
    std::set<std::string> used;
    for (const auto& claim : paper.claims) {
      EXPECT_TRUE(stated.contains({claim.name, claim.claimed})) << claim.name;
      for (const auto& name : claim.experiments) {
        const auto& needs = find_experiment(paper, name).needs;
        used.insert(name);
        used.insert(needs.begin(), needs.end());
      }
    }
    for (const auto& experiment : paper.experiments) {
      EXPECT_TRUE(used.contains(experiment.name)) << experiment.name << " decides no claim";
      EXPECT_TRUE(experiment.configuration.contains("revision")) << experiment.name;
      EXPECT_GT(experiment.seconds, 0) << experiment.name;
      const auto [known, added] = configurations.emplace(experiment.name, experiment.configuration);
      EXPECT_EQ(known->second, experiment.configuration) << "two experiments share a file";
    }
  }
}

TEST_F(Papers, QuickRunsEndInVerdictsAndWriteNothing) {
  const auto quick = " --quick --json --folder " + (folder / "papers").string();
  const auto o = run("paper 1905.12938 1910.09466" + quick);
  ASSERT_EQ(o.code, 0) << o.error;
  std::istringstream lines(o.out);
  for (std::string line; std::getline(lines, line) && !line.starts_with('{');) {
    const auto continues = [](char c) { return (c & 0xC0) == 0x80; };
    const auto width = std::ssize(line) - std::ranges::count_if(line, continues);
    EXPECT_LE(width, 80) << "characters, of which some take several bytes: " << line;
  }
  EXPECT_NE(
      o.out.find("claimed   Lemma 1: with unimodal symmetric noise ρ ≥ 1/2 + S/(2(S + √3))\n"),
      std::string::npos)
      << "72 characters in one line";
  const auto result = last_line(o.out);
  std::size_t claims = 0;
  for (const auto& paper : all_papers(Scale::quick)) {
    const bool chosen = paper.number == "1905.12938" || paper.number == "1910.09466";
    claims += chosen ? paper.claims.size() : 0;
  }
  ASSERT_EQ(result["claims"].size(), claims);
  for (const auto& claim : result["claims"]) {
    for (const char* key : {"name", "claimed", "measured", "verdict", "command"}) {
      EXPECT_FALSE(claim.at(key).get<std::string>().empty()) << claim;
    }
  }
  EXPECT_FALSE(fs::exists(folder / "papers"));
}

TEST_F(Papers, PapersShareTheirExperiments) {
  const auto o =
      run("paper 1905.12938 1905.12938 --quick --folder " + (folder / "papers").string());
  ASSERT_EQ(o.code, 0) << o.error;
  const std::string once = "signs/success …";
  const auto at = o.error.find(once);
  ASSERT_NE(at, std::string::npos) << o.error;
  EXPECT_EQ(o.error.find(once, at + 1), std::string::npos) << "measured twice";
}

TEST_F(Papers, TrainedModelsAreComparedAtTheirBestRates) {
  const auto o = run("paper 1905.13727 --quick --json --claim warm-start");
  ASSERT_EQ(o.code, 0) << o.error;
  const auto claim = last_line(o.out)["claims"][0];
  EXPECT_EQ(claim["verdict"], "cannot be told at this scale");  // a quick run has one seed
  EXPECT_NE(claim["measured"].get<std::string>().find("(rate 0."), std::string::npos) << claim;
}

TEST_F(Papers, ExactClaimsNeedNoWholeRun) {
  const auto claim = [&](const std::string& name) {
    const auto o = run("paper 1802.04434 --quick --json --claim " + name);
    EXPECT_EQ(o.code, 0) << o.error;
    return last_line(o.out)["claims"][0];
  };
  const auto limit = claim("adam-limit");
  EXPECT_EQ(limit["verdict"], "holds") << limit;
  EXPECT_TRUE(limit["measured"].get<std::string>().starts_with(
      "largest difference 0: 0 of 50890 parameters differ"))
      << limit;
  const auto traffic = claim("vote-traffic");
  EXPECT_EQ(traffic["verdict"], "holds") << traffic;
  EXPECT_NE(traffic["measured"].get<std::string>().find("lenet: 370236 / 11574 = 31.989;"),
            std::string::npos)
      << "2 · 3/4 of 4 · 61 706 bytes, and of 4 · 1929 of signs; " << traffic;
}

// The finding and the picture of a claim whose experiments, and no others, have rows of three seeds
// with these scores and losses, and with two candidates of which `best` was found.
Finding judged(const std::string& claim_name,
               const std::function<double(const std::string&)>& value,
               const std::function<double(const std::string&)>& best = {}) {
  const auto paper = signsgd(Scale::whole);
  const auto& claim = find_claim(paper, claim_name);
  Rows rows;
  for (const auto& name : claim.experiments) {
    nlohmann::json row = {{"lr", 0.1}, {"rates", {0.001, 0.1}}, {"scores", {70, 80}}};
    if (best) row["best"] = best(name);
    for (const double deviation : {-0.1, 0.0, 0.1}) {
      const double of_seed = value(name) + deviation;
      row["seeds"].push_back({{"score", of_seed}, {"loss", of_seed}});
    }
    rows.add(name, std::move(row));
  }
  if (claim.draw) {
    EXPECT_NE(run::to_svg(claim.draw(rows)).find("LeNet-5"), std::string::npos);
  }
  return claim.decide(rows);
}

TEST(SignClaims, AreDecidedByTheirRules) {
  const auto where = [](const char* part, double there, double elsewhere) {
    return [=](const std::string& name) {
      return name.find(part) != std::string::npos ? there : elsewhere;
    };
  };
  using enum Verdict;
  EXPECT_EQ(judged("batch-sweep", where("batch-512", 0.5, 0.6)).verdict, holds);
  EXPECT_EQ(judged("batch-sweep", where("batch-512", 0.7, 0.6)).verdict, fails);
  EXPECT_EQ(judged("vote-workers", where("workers-16", 80, 70)).verdict, holds);
  EXPECT_EQ(judged("vote-workers", where("workers-16/sgd", 60, 70)).verdict, fails);
  EXPECT_EQ(judged("vote-workers", where("workers-16/vote", 60, 70)).verdict, fails);
  EXPECT_EQ(judged("adversaries", where("lenet", 77, 0)).verdict, holds) << "LeNet-5 decides";
  EXPECT_EQ(judged("adversaries", where("scaled-3", 12, 77)).verdict, fails);
  EXPECT_EQ(judged("adversaries-half", where("lenet", 10, 99)).verdict, holds);
  EXPECT_EQ(judged("adversaries-half", where("scaled-4", 50, 10)).verdict, fails);
  EXPECT_EQ(judged("mean-breaks", where("scaled-1", 10, 80)).verdict, holds);
  EXPECT_EQ(judged("mean-breaks", where("scaled-1", 80, 80)).verdict, fails);

  const auto none = [](const std::string&) { return 0.0; };
  const auto hundredth = [](const std::string& name) {
    return name.ends_with("/sgd") ? 0.1 : 0.001;
  };
  const auto small = judged("small-rate", none, hundredth);
  EXPECT_EQ(small.verdict, holds);
  EXPECT_TRUE(small.measured.starts_with("lenet: 0.001 / 0.1 = 1/100 (candidates: 1/100 … 100);"))
      << small.measured;
  const auto equal_on_text = [&](const std::string& name) {
    return name.starts_with("lstm") ? 0.1 : hundredth(name);
  };
  EXPECT_EQ(judged("small-rate", none, equal_on_text).verdict, fails);
}

TEST(SignClaims, CommunicationIncludesCoding) {
  const auto paper = signsgd(Scale::whole);
  const auto& claim = find_claim(paper, "communication");
  const auto finding = [&](double decode) {
    const auto row = [&](const char* spec, double seconds) {
      return nlohmann::json{{"spec", spec},
                            {"network", {{"10gbe", seconds}}},
                            {"encode", {0.01}},
                            {"decode", {decode}}};
    };
    Rows rows;
    rows.add(claim.experiments.front(),
             {{"methods", {row("none", 0.4), row("vote", 0.02), row("vote:beta=0.9", 0.02)}}});
    return claim.decide(rows);
  };
  EXPECT_EQ(finding(0.05).verdict, Verdict::holds);
  EXPECT_TRUE(finding(0.05).measured.starts_with("400 ms / 80.0 ms = 5.0; without coding"))
      << finding(0.05).measured;
  EXPECT_EQ(finding(0.08).verdict, Verdict::fails) << "0.4 / 0.11";
}

TEST(Settings, ThatVaryAnotherHaveItsBestRates) {
  const auto base = lenet(Scale::whole);
  const auto attacked = with_byzantine(base, Scale::whole, Byzantine::scaled, 3);
  const auto run = trained(attacked, kVote);
  EXPECT_EQ(run.name, "lenet/scaled-3-of-7/vote");
  EXPECT_EQ(run.needs, std::vector<std::string>{"lenet/tuning/vote"});
  EXPECT_EQ(tuned(attacked, kVote).name, "lenet/tuning/vote");
  EXPECT_EQ(tuned(attacked, kVote).configuration, tuned(base, kVote).configuration);
  EXPECT_EQ(run.configuration["lr"], tuned(base, kVote).configuration);
  EXPECT_EQ(run.configuration["attack"], "scale:factor=-100,workers=3");
  EXPECT_EQ(run.configuration["workers"], 7);
  EXPECT_EQ(trained(base, kVote).configuration["attack"], "none");
}

TEST_F(Papers, StoredRowsMakeThePage) {
  const auto papers = (folder / "papers").string();
  const auto one = "paper 1905.12938 --claim counter-example --json --folder " + papers;
  const auto first = run(one);
  ASSERT_EQ(first.code, 0) << first.error;
  const auto row = folder / "papers/data/signs/counter-example.json";
  const auto stored = read(row);
  auto changed = nlohmann::json::parse(stored);
  changed["result"]["signs"] = {0.5};
  std::ofstream(row) << changed;
  EXPECT_EQ(last_line(run(one).out)["claims"][0]["verdict"], "does not hold here");
  const auto again = run(one + " --again");
  EXPECT_EQ(last_line(again.out), last_line(first.out));
  EXPECT_EQ(nlohmann::json::parse(read(row))["result"], nlohmann::json::parse(stored)["result"]);
  const auto page = run("paper 1905.12938 --stored --json --folder " + papers);
  EXPECT_EQ(last_line(page.out)["claims"].size(), 4U) << "three read this row, one reads none";
  EXPECT_NE(read(folder / "papers/1905.12938.md").find("that are missing here are not measured"),
            std::string::npos);
  const auto plan = run("paper 1905.12938 --plan --folder " + papers);
  EXPECT_NE(plan.out.find("measured"), std::string::npos) << plan.out;
  EXPECT_NE(plan.out.find("What is left will take about"), std::string::npos) << plan.out;
}

TEST_F(Papers, AMissingDataSetIsAnErrorWithTheClaimsThatDoWithoutIt) {
  const auto paper = powersgd(Scale::quick);
  const std::function<bool(const std::string&)> reads_text = [&](const std::string& name) {
    const auto& experiment = find_experiment(paper, name);
    return experiment.data.starts_with("kjv") || std::ranges::any_of(experiment.needs, reads_text);
  };
  std::string others;
  for (const auto& claim : paper.claims) {
    if (std::ranges::any_of(claim.experiments, reads_text)) continue;
    others += (others.empty() ? "" : ", ") + claim.name;
  }
  ASSERT_NE(others, "");
  const auto expect_missing = [&](const std::string& claim, const std::string& listed) {
    const auto o = run_shell("env TERSE_DATA=" + folder.string() + " " + bin +
                             "paper 1905.13727 --quick" + claim);
    EXPECT_EQ(o.code, 1) << o.error;
    EXPECT_NE(o.error.find("kjv: no such file: '" + (folder / "kjv.txt").string() + "'"),
              std::string::npos)
        << o.error;
    EXPECT_TRUE(o.error.ends_with("; claims that do without it (--claim): " + listed + "\n"))
        << o.error;
    EXPECT_EQ(o.out, "");
  };
  expect_missing("", others);
  expect_missing(" --claim rank-language", "none");
}

TEST_F(Papers, WrongInputIsAClearError) {
  expect_refused("paper", 2, "expected a paper: 1905.12938, ");
  expect_refused("paper 1234.5678", 2, "unknown paper '1234.5678'; known: 1905.12938");
  expect_refused("paper all --claim plateau", 2, "--claim: expected one paper");
  expect_refused("paper all --stored --again", 2, "leave out --quick and --again");
  expect_refused("paper 1905.12938 --claim plato", 2, "known: sign-bound, bounds-order, ");
}

}  // namespace
}  // namespace terse::paper
