// The rules of decision of single claims, on given rows that lie on either side.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "examples/paper/claim.hpp"
#include "examples/paper/methods.hpp"
#include "examples/paper/noise_histograms.hpp"
#include "examples/paper/training_experiments.hpp"
#include "examples/paper/vote_experiments.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::paper {
namespace {

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

TEST(TimeClaims, SharesOfAStepAreOfOneCpu) {
  auto methods = nlohmann::json::array({times_of("none", 0.060, 0.600, 0)});
  for (const int rank : {1, 2, 4}) {
    methods.push_back(times_of(fmt::format("powersgd:rank={}+ef", rank), 0.001, 0.004, 0.01));
  }
  Rows rows;
  rows.add_row("times/resnet18-operators", {.result = {{"methods", methods}}, .cpu = "fast"});
  const nlohmann::json compute = {{"seconds", {1.0, 1.0, 1.0}}, {"batch", 128}};
  rows.add_row("times/resnet18-compute", {.result = compute, .cpu = "slow"});
  for (const char* claim : {"step-time", "slow-network", "time-split"}) {
    try {
      verdict_of(claim, rows);
      ADD_FAILURE() << claim;
    } catch (const Error& e) {
      const std::string error = e.what();
      EXPECT_NE(error.find("operators was measured on fast"), std::string::npos) << error;
      EXPECT_NE(error.find("compute on slow; "), std::string::npos) << error;
      EXPECT_TRUE(error.ends_with("--again")) << error;
    }
  }
  rows.add_row("times/resnet18-compute", {.result = compute, .cpu = "fast"});
  EXPECT_EQ(verdict_of("step-time", rows), Verdict::holds);
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

// Rows of operators whose network and decoding take `gathered` ms with 4 workers and `growth` times as
// long with 16; those of an all-reduce take 1 ms and 1.4 ms.
Rows scaling_rows(double gathered, double growth) {
  auto methods = nlohmann::json::array();
  for (const char* spec : {"none", "powersgd:rank=2+ef", "vote:exchange=gather", "sign+ef",
                           "topk:rank=2+ef", "atomo:rank=2"}) {
    const bool gathers = methods.size() >= 4;
    for (const int workers : {4, 16}) {
      const double of_few = gathers ? gathered : 0.001, ratio = gathers ? growth : 1.4;
      const double seconds = workers == 4 ? of_few : ratio * of_few;
      methods.push_back(times_of(spec, seconds / 2, seconds / 2, 0.0001, workers));
      methods.back()["decode"] = std::vector<double>(3, seconds / 2);
    }
  }
  Rows rows;
  rows.add("times/resnet18-scaling", {{"methods", methods}});
  rows.add("times/resnet18-compute", {{"seconds", {1.0, 1.0, 1.0}}, {"batch", 128}});
  return rows;
}

TEST(TimeClaims, DecodingGrowsWithTheWorkersWherePacketsAreGathered) {
  EXPECT_EQ(verdict_of("scaling-gathered", scaling_rows(0.002, 2.5)), Verdict::holds);
  EXPECT_EQ(verdict_of("scaling-gathered", scaling_rows(0.002, 1.8)), Verdict::fails);
}

TEST(TimeClaims, ThePaperGpuDecidesWhoKeepsScaling) {
  auto rows = scaling_rows(0.1, 4);  // of 16 workers 0.2 s beside 0.4 s: 5.3 times as fast as one
  EXPECT_EQ(verdict_of("scaling-speed", rows), Verdict::fails) << "none keeps scaling, too";
  auto times = rows["times/resnet18-scaling"];
  for (auto& method : times["methods"]) {
    if (method["spec"] == "none") method["network"]["1gbe"] = 0.7;
  }
  rows.add("times/resnet18-scaling", times);
  EXPECT_EQ(verdict_of("scaling-speed", rows), Verdict::holds);
  rows.add_row("times/resnet18-compute", {.result = rows["times/resnet18-compute"], .cpu = "slow"});
  EXPECT_THROW(verdict_of("scaling-speed", rows), Error) << "of two CPUs";
}

TEST(TrainedModels, AComparisonNamesRunsThatDiverged) {
  const auto row = [](nlohmann::json last) {
    return nlohmann::json{{"lr", 0.1},
                          {"seeds",
                           {{{"score", 80}, {"message_bytes", 100}},
                            {{"score", 82}, {"message_bytes", 100}},
                            std::move(last)}}};
  };
  Rows rows;
  rows.add("lenet/powersgd-2-no-feedback", row({{"score", 10}, {"failure", "diverged"}}));
  rows.add("lenet/powersgd-2", row({{"score", 88}, {"message_bytes", 200}}));
  const auto finding = find_claim(powersgd(Scale::whole), "no-feedback").decide(rows);
  EXPECT_NE(finding.measured.find("(1 of 3 runs of powersgd-2-no-feedback diverged); lenet"),
            std::string::npos)
      << finding.measured;
}

TEST(TrainedModels, APerplexityIsWorseInPercentOfThatOfTheOther) {
  const auto row = [](const std::vector<double>& scores) {
    nlohmann::json seeds;
    for (const double score : scores) seeds.push_back({{"score", score}, {"message_bytes", 100}});
    return nlohmann::json{{"lr", 20}, {"seeds", seeds}};
  };
  const auto finding = [&](double perplexity) {
    Rows rows;
    rows.add("lstm/vote", row({perplexity, perplexity + 0.1, perplexity - 0.1}));
    rows.add("lstm/sgd", row({100, 100, 100}));
    return find_claim(powersgd(Scale::whole), "signum-language").decide(rows);
  };
  const auto worse = finding(240);
  EXPECT_TRUE(worse.measured.starts_with("Δ vote − sgd: −140.00 [")) << worse.measured;
  EXPECT_EQ(worse.verdict, Verdict::holds);
  EXPECT_EQ(finding(122).verdict, Verdict::holds) << "worse than 20 %";
  EXPECT_EQ(finding(118).verdict, Verdict::fails);
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
  const auto stalls = finding({{"score", 81.2}, {"message_bytes", 100}, {"curve", curve}});
  EXPECT_EQ(stalls.verdict, Verdict::holds);
  EXPECT_NE(stalls.measured.find("Δ of test accuracy: 0.20 [0.20, 0.20]; Δ of training loss: "
                                 "−0.100 [−0.100, −0.100]; at a constant rate a run diverged"),
            std::string::npos)
      << stalls.measured;
  curve.back()["train_loss"] = 0.6;
  EXPECT_EQ(finding({{"score", 81.2}, {"message_bytes", 100}, {"curve", curve}}).verdict,
            Verdict::fails);
  EXPECT_EQ(finding({{"score", 10}, {"failure", "diverged"}}).verdict, Verdict::fails);
}

TEST(SplitWorkers, SsdmIsComparedWithWhatTheSplitCostsSgd) {
  const auto paper = stochastic_sign_descent(Scale::whole);
  const auto& claim = find_claim(paper, "split-ssdm");
  const auto finding = [&](double ssdm, double ssdm_mixed) {
    Rows rows;
    for (const auto& name : claim.experiments) {
      const bool of_ssdm = name.ends_with("/ssdm"), mixed = name.starts_with("perceptron-pair/");
      const double score = of_ssdm ? (mixed ? ssdm_mixed : ssdm) : (mixed ? 88 : 87);
      auto row = three_times({{"score", score}, {"message_bytes", 6364}});
      for (int seed = 0; seed < 3; ++seed) {
        auto& value = row["seeds"][static_cast<std::size_t>(seed)]["score"];
        value = value.get<double>() + 0.1 * seed;
      }
      rows.add(name, row);
    }
    return claim.decide(rows);
  };
  EXPECT_EQ(finding(80, 81).verdict, Verdict::holds) << "far below SGD with all classes, too";
  EXPECT_EQ(finding(78, 81).verdict, Verdict::fails);
  EXPECT_TRUE(finding(78, 81).measured.starts_with(
      "Δ ssdm − sgd, split − mixed classes: −2.00 [−2.00, −2.00] (split −9.00"))
      << finding(78, 81).measured;
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

// ---- pictures of noise --------------------------------------------------------------------------

TEST(NoiseHistograms, AreDensitiesBesideTheNormalOne) {
  const auto chosen = [](double statistic) {
    return nlohmann::json{
        {"statistic", statistic}, {"counts", {0, 10, 30, 10}}, {"beside", {0, 0, 50, 0}}};
  };
  nlohmann::json epochs = nlohmann::json::array();
  for (const int epoch : {0, 3}) {
    const nlohmann::json three = {chosen(0.1), chosen(1), chosen(4)};
    epochs.push_back({{"epoch", epoch}, {"samples", 50}, {"asymmetry", three}, {"dip", three}});
  }
  const nlohmann::json row = {{"low", -4}, {"high", 4}, {"epochs", epochs}};
  const auto area = [](const run::Curve& curve) {
    double sum = 0;
    for (const auto& [x, density] : curve.points) sum += density;
    return sum * (curve.points[1].first - curve.points[0].first);
  };
  Rows rows;
  rows.add("lenet/noise-histograms", row);
  const auto papers = all_papers(Scale::whole);
  for (const char* claim : {"noise-symmetric", "noise-unimodal"}) {
    const auto charts = find_claim(find_paper(papers, "1802.04434"), claim).draw(rows);
    ASSERT_EQ(charts.size(), 2U) << "the start and the end";
    ASSERT_EQ(charts[0].curves.size(), 4U);
    for (const auto& curve : charts[1].curves) EXPECT_NEAR(area(curve), 1, 0.01) << curve.name;
    EXPECT_EQ(charts[0].curves[1].points.front().first, -3);
    EXPECT_TRUE(charts[0].curves[3].name.ends_with(" 4"));
  }
  const auto beside = histogram_charts_beside(row, "dip", "split", "mixed");
  EXPECT_EQ(beside[0].curves[1].points[2].second, 0.5) << "50 of 50 in a bin of width 2";
}

TEST(Threshold, HasAColumnForEachRate) {
  nlohmann::json runs = nlohmann::json::array();
  for (const int batch : {1, 8}) {
    for (const double gamma : {0.002, 0.01, 0.05}) {
      const auto point = [](int step, double rho_norm) {
        return nlohmann::json{{"step", step}, {"f", 2}, {"rho_norm", rho_norm}, {"least", 0.1}};
      };
      runs.push_back({{"batch", batch},
                      {"gamma", gamma},
                      {"points", {point(0, 1), point(10, -1e-3), point(20, 0.5)}},
                      {"seeds", {{{"histogram", {1, 2, 1}}}}}});
    }
  }
  Rows rows;
  rows.add("rosenbrock/noise", {{"samples", 100}, {"runs", runs}});
  const auto svg = find_claim(stochastic_sign_descent(Scale::whole), "threshold").draw_svg(rows);
  for (const char* title : {"γ = 0.002: f<", "γ = 0.01: ‖g‖_ρ", "γ = 0.05: smallest margin"}) {
    EXPECT_NE(svg.find(title), std::string::npos) << title;
  }
  EXPECT_EQ(svg.find("nan"), std::string::npos) << "a norm estimated below zero has no logarithm";
  EXPECT_NE(svg.find("width=\"1290\" height=\"1160\""), std::string::npos) << "three by four";
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
  // There a compressor is first, but with two workers at 3 Gbit/s the lead is too small.
  EXPECT_EQ(decide("pays-slow", 0.02, 0).verdict, Verdict::holds);
  EXPECT_EQ(decide("pays-fast", 0.02, 0).verdict, Verdict::fails);
  EXPECT_EQ(decide("pays-anywhere", 0.02, 0).verdict, Verdict::holds);
  EXPECT_NE(
      decide("pays-anywhere", 0.02, 0).measured.find("lstm: a compressor is first in 29 of 45 "),
      std::string::npos);
  // 0.2 s below 0.5 Gbit/s: four of the nine, among them four of the five slow ones.
  EXPECT_EQ(decide("pays-slow", 0.2, 0).verdict, Verdict::holds);
  EXPECT_EQ(decide("pays-anywhere", 0.2, 0).verdict, Verdict::fails);
  // A score that is reached late counts by its steps; one that is missed never wins.
  EXPECT_EQ(decide("pays-slow", 0, 0.9).verdict, Verdict::holds);
  EXPECT_EQ(decide("pays-fast", 0, 0.9).verdict, Verdict::open) << "half of the settings are ties";
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
  EXPECT_EQ(count(">half<"), 3 * (6 + 5)) << "three bandwidths; six and five numbers of workers";
  EXPECT_EQ(count(">powersgd-2<") + count(">powersgd-1<"), 6 * (6 + 5));
  EXPECT_EQ(count(">100 Gbit/s<"), 2);
}

// The finding and the picture of a claim whose experiments, and no others, have rows of three seeds
// with these scores and losses, and with candidates of which `best` was found.
Finding judged(const std::string& claim_name,
               const std::function<double(const std::string&)>& value,
               const std::function<double(const std::string&)>& best = {}) {
  const auto paper = signsgd(Scale::whole);
  const auto& claim = find_claim(paper, claim_name);
  Rows rows;
  for (const auto& name : claim.experiments) {
    nlohmann::json row = {{"lr", 0.1},
                          {"rates", {0.0005, 0.001, 0.002, 0.1, 0.2, 0.4}},
                          {"scores", {70, 80, 75, 70, 80, 75}}};
    if (best) row["best"] = best(name);
    for (const double deviation : {-0.1, 0.0, 0.1}) {
      const double of_seed = value(name) + deviation;
      row["seeds"].push_back({{"score", of_seed}, {"loss", of_seed}, {"message_bytes", 100}});
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
  // The best rates of signs and SGD, for all models or for the text alone.
  const auto best = [](double signs, double sgd, const char* model = "") {
    return [=](const std::string& name) {
      const bool of_model = name.starts_with(model), of_sgd = name.ends_with("/sgd");
      return of_model ? (of_sgd ? sgd : signs) : (of_sgd ? 0.2 : 0.001);
    };
  };
  const auto small = judged("small-rate", none, best(0.001, 0.2));
  EXPECT_EQ(small.verdict, holds);
  EXPECT_TRUE(small.measured.starts_with(
      "lenet: 0.001 / 0.2 = 1/200, from 1/800 to 1/50 by the candidates beside;"))
      << small.measured;
  EXPECT_EQ(judged("small-rate", none, best(0.002, 0.2, "lstm")).verdict, open)
      << "the candidate above would be too large";
  EXPECT_EQ(judged("small-rate", none, best(0.4, 0.1, "lstm")).verdict, fails);
}

TEST(SignClaims, NoiseThatAddsNothingHasNoSlope) {
  const auto finding = [](double with_many) {
    nlohmann::json seeds;
    for (const double f : {0.9, 1.0, 1.1}) {
      seeds.push_back({{"batch", {2 + f, 2 + with_many * f}}, {"single", {2 + f, 2 + f / 2}}});
    }
    Rows rows;
    rows.add("signsgd/vote-noise",
             {{"voters", {1, 4}}, {"bound", {9, 9}}, {"noiseless", 2}, {"seeds", seeds}});
    return find_claim(signsgd(Scale::whole), "vote-noise").decide(rows);
  };
  EXPECT_EQ(finding(0.5).verdict, Verdict::holds) << "slope -1/2";
  EXPECT_EQ(finding(1).verdict, Verdict::fails);
  EXPECT_EQ(finding(-0.1).verdict, Verdict::open) << finding(-0.1).measured;
}

TEST(RosenbrockClaims, TheRatesOfASeedAreOneValue) {
  nlohmann::json runs;
  for (const int batch : {1, 8}) {
    for (const double rate : {0.1, 1.0, 10.0}) {
      nlohmann::json seeds;
      for (const double draw : {0.9, 1.0, 1.1}) {
        seeds.push_back(
            {{"f", rate * draw / (batch * batch * batch)}, {"least", batch == 1 ? -draw : draw}});
      }
      runs.push_back({{"batch", batch}, {"gamma", rate}, {"seeds", seeds}});
    }
  }
  Rows rows;
  rows.add("rosenbrock/noise", {{"samples", 10'000}, {"runs", runs}});
  const auto finding = find_claim(stochastic_sign_descent(Scale::whole), "threshold").decide(rows);
  EXPECT_EQ(finding.verdict, Verdict::holds);
  // t(2) 0.1 / √3 = 0.248, of three seeds; nine values would have an interval of ±0.067.
  EXPECT_NE(finding.measured.find("smallest margin of batch 1 −1.000 [−1.248, −0.752]"),
            std::string::npos)
      << finding.measured;
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
  EXPECT_TRUE(
      finding(0.05).measured.starts_with("exchange of ResNet-50's gradient, none / vote: 400 ms / "
                                         "80.0 ms = 5.0; of the network alone"))
      << finding(0.05).measured;
  EXPECT_EQ(finding(0.08).verdict, Verdict::fails) << "0.4 / 0.11";
}

TEST(SignClaims, AVoteShortensAStepWhereCommunicationDominates) {
  const auto paper = signsgd(Scale::whole);
  const auto& claim = find_claim(paper, "vote-step");
  const auto verdict = [&](double coding) {
    const auto row = [&](const char* spec, double slowest) {
      nlohmann::json network;
      for (const char* name : {"100mbps", "1gbe", "10gbe", "100Gbps,20us"}) {
        network[name] = slowest;
        slowest /= 10;
      }
      return nlohmann::json{{"spec", spec},       {"workers", 7},       {"all_reduce", "auto"},
                            {"network", network}, {"encode", {coding}}, {"decode", {0.0}}};
    };
    Rows rows;
    rows.add("times/resnet50-vote", {{"methods", {row("none", 0), row("vote", 0)}}});
    rows.add("times/resnet50-vote-networks", {{"methods", {row("none", 10), row("vote", 0.3)}}});
    return claim.decide(rows).verdict;
  };
  EXPECT_EQ(verdict(0.01), Verdict::holds);
  EXPECT_EQ(verdict(0.9), Verdict::fails) << "with 1 Gbit/s the exchange takes 1 s, coding 0.9 s";
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

}  // namespace
}  // namespace terse::paper
