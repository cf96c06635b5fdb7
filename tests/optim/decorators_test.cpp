// Tests of error feedback, momentum, warm-up, minimum size and clipping around many compressors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "exchanges.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/spec.hpp"
#include "tersegrad/optim/testing/law_inputs.hpp"
#include "tersegrad/optim/testing/state.hpp"

namespace terse {
namespace {

using testing::HasSubstr;

std::vector<OwnedGradients> workers_at(std::uint32_t step, std::uint32_t workers) {
  std::vector<OwnedGradients> gradients;
  for (std::uint32_t w = 0; w < workers; ++w) {
    gradients.push_back(normal_gradients(law_shapes(), workers * step + w));
  }
  return gradients;
}

// y = x - lr (mean e) follows plain SGD for any inner compressor whose result is the mean of the
// workers' reconstructions (a vote is not). With lr = 1 and x_0 = 0 this means sum of sent + mean
// residual = sum of mean gradients.
TEST(ErrorFeedback, VirtualIterateFollowsSgd) {
  for (const auto* inside : {"none", "sign", "topk:ratio=0.1", "topk:ratio=0.05,scope=model",
                             "randomk:ratio=0.1", "powersgd:rank=1", "topk+min:size=20"}) {
    TestExchange exchange(maker(std::string(inside) + "+ef"), 3);
    std::vector<double> sent, dense;
    for (std::uint32_t step = 0; step < 12; ++step) {
      const auto gradients = workers_at(step, 3);
      const auto mean = flat(mean_of(gradients)), decoded = flat(exchange.mean(gradients));
      sent.resize(mean.size());
      dense.resize(mean.size());
      for (std::size_t i = 0; i < mean.size(); ++i) {
        sent[i] += decoded[i];
        dense[i] += mean[i];
      }
    }
    for (int w = 0; w < 3; ++w) {
      const auto residual = residual_of(exchange.worker(w));
      for (std::size_t i = 0; i < sent.size(); ++i) sent[i] += residual[i] / 3.0;
    }
    for (std::size_t i = 0; i < sent.size(); ++i) {
      ASSERT_NEAR(sent[i], dense[i], 2e-4) << inside << ", value " << i;
    }
  }
}

// A compressor that is fused with error feedback gives the same bits as the separate stages. A clip
// stage whose limit is never reached prevents the fusion.
TEST(ErrorFeedback, FusedItIsTheSameToTheBit) {
  for (const auto* inside : {"sign", "topk:ratio=0.3", "topk:ratio=0.3+sign"}) {
    for (const auto* options : {"", ":lr=inside"}) {
      const auto name = std::string(inside);
      TestExchange fused(maker(name + "+ef" + options), 2);
      TestExchange apart(maker(name + "+clip:norm=1e30+ef" + options), 2);
      for (std::uint32_t step = 0; step < 6; ++step) {
        const auto gradients = workers_at(step, 2);
        ASSERT_TRUE(same_bits(fused.mean(gradients), apart.mean(gradients))) << name << step;
        if (step % 2 == 1) {
          const auto a = residual_of(fused.worker(1)), b = residual_of(apart.worker(1));
          ASSERT_EQ(a, b) << name << ", step " << step;
        }
      }
    }
  }
}

std::string refusal(const std::string& spec) {
  try {
    make_compressor(spec);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

// Why a compressor is refused: parts of the errors, and of the table in docs/algorithms.md.
constexpr const char* kDirection = "a direction without a magnitude";
constexpr const char* kSendsLater = "itself sends later what a packet leaves out";
constexpr const char* kUnbiased = "needs no error feedback";
constexpr const char* kRoundsSum = "also rounds the sum of the packets";
constexpr const char* kNoContraction = "no contraction for tensors of every size";

// What is left out is kept only around a compressor whose error is smaller than the gradient.
TEST(ErrorFeedback, IsRefusedWhereItCannotHelp) {
  const std::map<std::string, const char*> refused{
      {"vote", kDirection},
      {"vote+warmup:steps=5", kDirection},
      {"noisy_sign", kDirection},
      {"ssdm", kDirection},
      {"dgc", kSendsLater},
      {"dgc+clip:norm=1+min:size=10", kSendsLater},
      {"sign+ef", kSendsLater},
      {"sign+doublesqueeze", kSendsLater},
      {"topk+ef21", kSendsLater},
      {"topk+ef21+warmup", kSendsLater},
      {"natural+diana", kSendsLater},
      {"onebit_adam", kSendsLater},
      {"terngrad", kUnbiased},
      {"stochastic_sign:norm=max", kUnbiased},
      {"qsgd:bits=4", kUnbiased},
      {"qsgd:bits=8,bucket=0", kUnbiased},  // the variance grows with the tensor
      {"randomk:scaled", kUnbiased},
      {"wangni:ratio=0.1", kUnbiased},
      {"wangni:variance=1.5", kUnbiased},
      {"atomo", kUnbiased},
      {"unbiased_rank", kUnbiased},
      {"terngrad:shared", kNoContraction},
      {"terngrad:clip=2.5", kNoContraction},
      {"int8", kNoContraction},
      {"topk+terngrad", kNoContraction},
      {"sign:scale=l2", kNoContraction},
      {"sign+momentum", kNoContraction},
      {"none+noise", kNoContraction},
      {"ssdm:scaled", kNoContraction},
      {"fp16:reduce=hop", kRoundsSum},
      {"bf16:reduce=wide", kRoundsSum},
      {"bf16:reduce=wide,divide=before+clip:norm=1", kRoundsSum},
      {"bf16:reduce=wide+warmup:steps=5", kRoundsSum}};
  for (const auto& [inside, reason] : refused) {
    for (const std::string stage : {"ef", "ef21"}) {
      const auto error = refusal(inside + '+' + stage);
      EXPECT_THAT(error, HasSubstr(reason)) << inside;
      EXPECT_THAT(error, HasSubstr("write " + stage + ":unsafe")) << inside;
      const auto unsafe = make_compressor(inside + '+' + stage + ":unsafe");
      EXPECT_EQ(make_compressor(unsafe->spec())->spec(), unsafe->spec());
    }
  }
  EXPECT_THAT(refusal("terngrad+doublesqueeze"), HasSubstr("write doublesqueeze:unsafe"));
  EXPECT_EQ(refusal("terngrad+doublesqueeze:unsafe"), "");
}

// A row of the table of refusals in docs/algorithms.md.
struct RefusedRow {
  std::vector<std::string> specs;
  const char* reason = "";
};

std::vector<RefusedRow> refused_rows() {
  std::ifstream page(TERSE_SOURCE_DIR "/docs/algorithms.md");
  std::string line;
  while (std::getline(page, line) && !line.starts_with("| refused |")) continue;
  std::getline(page, line);  // the rule between heading and rows
  const std::regex code("`([^`]+)`");
  std::vector<RefusedRow> rows;
  while (std::getline(page, line) && line.starts_with("| ")) {
    auto& row = rows.emplace_back();
    const auto cell = line.substr(0, line.find(" | "));
    for (std::sregex_iterator at(cell.begin(), cell.end(), code), end; at != end; ++at) {
      const auto spec = (*at)[1].str();  // `+stage` stands for any compressor with that stage
      row.specs.push_back(spec.starts_with('+') ? "none" + spec : spec);
    }
    for (const auto* reason : {kDirection, kSendsLater, kUnbiased, kRoundsSum, kNoContraction}) {
      if (line.find(reason) != std::string::npos) row.reason = reason;
    }
  }
  return rows;
}

TEST(ErrorFeedback, RefusesWhatTheTableOfItsCardListsForTheSameReasons) {
  std::set<std::string> listed;
  for (const auto& row : refused_rows()) {
    for (const auto& spec : row.specs) {
      const auto error = refusal(spec + "+ef");
      EXPECT_NE(error, "") << spec;
      EXPECT_STRNE(row.reason, "") << spec;
      EXPECT_THAT(error, HasSubstr(row.reason)) << spec;
      for (const auto& stage : Spec::parse(spec).stages) listed.insert(stage.name);
    }
  }
  for (const auto& entry : compressor_registry()) {
    const std::string name(entry.name);
    const auto spec = entry.decorator && entry.bare.empty() ? "none+" + name : name;
    EXPECT_TRUE(refusal(spec + "+ef").empty() || listed.contains(name)) << name;
  }
}

TEST(ErrorFeedback, IsBuiltAroundEveryContraction) {
  for (const std::string inside : {"none",
                                   "natural",
                                   "fp16",
                                   "bf16",
                                   "bf16:stochastic",
                                   "int8:bucket=512",
                                   "onebit",
                                   "sign",
                                   "qsgd:bits=8",
                                   "qsgd:bits=6,norm=max",
                                   "topk",
                                   "topk:scope=model",
                                   "topk+sign",
                                   "topk+natural",
                                   "topk+qsgd:bits=8",
                                   "randomk",
                                   "randomblock",
                                   "threshold",
                                   "wangni:ratio=0.6",
                                   "wangni:variance=0.9",
                                   "powersgd",
                                   "powersgd:alternate",
                                   "svd",
                                   "gradiveq",
                                   "topk+clip:norm=1",
                                   "topk+min",
                                   "powersgd+warmup"}) {
    EXPECT_EQ(refusal(inside + "+ef"), "") << inside;
  }
}

double residual_norm_after(const std::string& spec, std::uint32_t steps, std::uint64_t seed = 1) {
  TestExchange exchange(maker(spec), 1, {.seed = seed});
  for (std::uint32_t step = 0; step < steps; ++step) {
    exchange.mean({normal_gradients({{"", 20, 1}}, step)});
  }
  double squares = 0;
  for (const float value : residual_of(exchange.worker(0))) squares += double{value} * value;
  return std::sqrt(squares);
}

TEST(ErrorFeedback, TheResidualGrowsUnlessTheCompressorIsAContraction) {
  for (const std::string spec : {"sign+ef", "qsgd:bits=8+ef"}) {
    EXPECT_LT(residual_norm_after(spec, 40), 3 * residual_norm_after(spec, 10)) << spec;
  }
  const std::string spec = "qsgd:bits=2+ef:unsafe";
  EXPECT_GT(residual_norm_after(spec, 40), 10 * residual_norm_after(spec, 10));
}

// A stochastic sign s of x = |x| u, n values, has the error |x - |x| s|² = (n + 1 - 2 <s, u>) |x|².
// <s, u> has mean 1 and variance 1 - sum u⁴ < 1, so the factor of one step has mean omega = n - 1
// and variance below 4. Half its logarithm, the growth of log |e|, has a mean between
// log(omega)/2 - 1/omega² and log(omega)/2, and a standard deviation below 1/omega, both to the
// first order. The gradient adds less than 1e-5 to a residual of ten steps.
TEST(ErrorFeedback, TheResidualOfAStochasticSignGrowsByTheRootOfItsVariance) {
  constexpr std::uint32_t kSteps = 30, kRuns = 40;
  constexpr double kOmega = 19;
  const std::string spec = "stochastic_sign+ef:unsafe";
  double growth = 0;  // of log |e| in all steps of all runs
  for (std::uint32_t seed = 1; seed <= kRuns; ++seed) {
    growth += std::log(residual_norm_after(spec, 10 + kSteps, seed) /
                       residual_norm_after(spec, 10, seed));
  }
  const double theory = std::log(kOmega) / 2, error = 1 / kOmega / std::sqrt(kSteps * kRuns);
  EXPECT_LT(growth / (kSteps * kRuns), theory + 5 * error);
  EXPECT_GT(growth / (kSteps * kRuns), theory - 1 / (kOmega * kOmega) - 5 * error);
}

TEST(ErrorFeedback, WithoutCompressionTheResidualIsZero) {
  TestExchange exchange(maker("none+ef"), 2);
  exchange.mean(workers_at(0, 2));
  const auto residual = residual_of(exchange.worker(0));
  for (const float value : residual) EXPECT_EQ(value, 0);
}

// For a linear compressor both residuals have the same mean, and therefore the same trajectory.
TEST(ErrorFeedback, LocalAndAveragedTargetsAgreeForLinearCompressors) {
  TestExchange local(maker("powersgd:rank=2+ef:target=local"), 3);
  TestExchange averaged(maker("powersgd:rank=2+ef:target=averaged"), 3);
  for (std::uint32_t step = 0; step < 10; ++step) {
    const auto gradients = workers_at(step, 3);
    const auto a = flat(local.mean(gradients)), b = flat(averaged.mean(gradients));
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 2e-3) << step;
  }
}

// Subtracting the mean leaves in each worker's residual a part that is never sent and that sums to
// zero over the workers. This part performs a random walk, while the residual of the local target
// stays bounded.
TEST(ErrorFeedback, TheAveragedTargetWalksAway) {
  const auto size_after = [](const std::string& target, std::uint32_t steps) {
    TestExchange exchange(maker("powersgd:rank=2+ef:target=" + target), 4);
    for (std::uint32_t step = 0; step < steps; ++step) {
      std::vector<OwnedGradients> gradients;
      for (std::uint32_t w = 0; w < 4; ++w) {
        gradients.push_back(normal_gradients({{"", 12, 9}}, 4 * step + w));
      }
      exchange.mean(gradients);
    }
    double sum = 0;
    for (const float value : residual_of(exchange.worker(0))) sum += double{value} * value;
    return std::sqrt(sum);
  };
  const double early = size_after("averaged", 100), late = size_after("averaged", 1600);
  EXPECT_NEAR(late / early, 4, 2) << "a walk grows with the root of the steps";
  EXPECT_LT(size_after("local", 1600), 2 * size_after("local", 100));
  EXPECT_LT(size_after("local", 1600), late / 3);
}

TEST(ErrorFeedback, AveragedTargetSubtractsTheMean) {
  TestExchange exchange(maker("sign+ef:target=averaged"), 2);
  const auto gradients = workers_at(0, 2);
  const auto mean = flat(exchange.mean(gradients)), own = flat(gradients[0]);
  const auto residual = residual_of(exchange.worker(0));
  for (std::size_t i = 0; i < own.size(); ++i) EXPECT_FLOAT_EQ(residual[i], own[i] - mean[i]);
}

float momentum_after(const std::string& spec, std::vector<float> gradients) {
  TestExchange exchange(maker(spec), 1);
  float last = 0;
  for (const float g : gradients) last = exchange.mean({{{0, 1, 1, {g}}}})[0].values[0];
  return last;
}

TEST(Momentum, BeginsAsAsked) {
  EXPECT_FLOAT_EQ(momentum_after("none+momentum:beta=0.75", {4}), 1);
  EXPECT_FLOAT_EQ(momentum_after("none+momentum:beta=0.75", {4, 8}), 2.75);
  EXPECT_FLOAT_EQ(momentum_after("none+momentum:beta=0.75,init=first", {4}), 4);
  EXPECT_FLOAT_EQ(momentum_after("none+momentum:beta=0.75,init=first", {4, 8}), 5);
  EXPECT_FLOAT_EQ(momentum_after("none+momentum:beta=0", {4, 8}), 8);
}

TEST(Momentum, IsAddedOnceWithSeveralPhases) {
  TestExchange plain(maker("none+momentum:beta=0.5"), 1);
  TestExchange phases(maker("powersgd:rank=99,min_rate=0+momentum:beta=0.5"), 1);
  for (std::uint32_t step = 0; step < 5; ++step) {
    const auto gradients = workers_at(step, 1);
    const auto a = flat(plain.mean(gradients)), b = flat(phases.mean(gradients));
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-4);
  }
}

TEST(Warmup, IsExactlyNoneAndThenExactlyWhatIsInside) {
  TestExchange warm(maker("topk:ratio=0.1+ef+warmup:steps=2"), 2), none(maker("none"), 2);
  TestExchange inside(maker("topk:ratio=0.1+ef"), 2);
  inside.set_next_step(2);
  for (std::uint32_t step = 0; step < 4; ++step) {
    const auto gradients = workers_at(step, 2);
    auto& expected = step < 2 ? none : inside;
    EXPECT_TRUE(same_bits(warm.mean(gradients), expected.mean(gradients))) << step;
    EXPECT_TRUE(
        std::ranges::equal(warm.phases()[0].up[1].bytes(), expected.phases()[0].up[1].bytes()));
  }
}

TEST(MinSize, SmallTensorsAreExact) {
  const std::vector<MatrixShape> shapes{{"", 9, 1}, {"", 20, 5}, {"", 10, 1}, {"", 3, 3}};
  for (const auto* inside : {"topk:ratio=0.1", "powersgd:rank=1", "vote:tie=plus", "sign"}) {
    TestExchange exchange(maker(std::string(inside) + "+min:size=10"), 2);
    TestExchange alone(maker(inside), 2), none(maker("none"), 2);
    const std::vector<OwnedGradients> workers{normal_gradients(shapes, 1),
                                              normal_gradients(shapes, 2)};
    const auto mean = exchange.mean(workers), dense = none.mean(workers);
    auto large = workers;
    for (auto& worker : large) worker = {worker[1], worker[2]};
    const auto compressed = alone.mean(large);
    EXPECT_EQ(mean[0].values, dense[0].values) << inside;
    EXPECT_EQ(mean[3].values, dense[3].values) << inside;
    EXPECT_EQ(mean[1].values, compressed[0].values) << inside;
    EXPECT_EQ(mean[2].values, compressed[1].values) << inside;
  }
}

TEST(MinSize, PayloadIsThePlainValuesAndTheOneInside) {
  const std::vector<MatrixShape> shapes{{"", 9, 1}, {"", 20, 5}, {"", 10, 1}};
  const auto bytes = [&](const std::string& spec) {
    TestExchange exchange(maker(spec), 1);
    exchange.mean({normal_gradients(shapes, 1)});
    std::size_t sum = 0;
    for (const auto& phase : exchange.phases()) sum += phase.up[0].payload().size();
    return sum;
  };
  EXPECT_EQ(bytes("randomk:ratio=0.1+min:size=10"), 4U * (9 + 10 + 1));
  EXPECT_EQ(bytes("topk:ratio=0.1+min:size=10"), 4U * 9 + 8 * (10 + 1));
  EXPECT_EQ(bytes("powersgd:rank=1+min:size=10"), 4U * (9 + 25 + 10));
}

TEST(Clip, CutsTheGlobalNormBeforeAnythingElse) {
  TestExchange exchange(maker("none+clip:norm=2"), 2);
  const OwnedGradients large{{0, 1, 1, {3}}, {1, 1, 1, {-4}}},
      small{{0, 1, 1, {1}}, {1, 1, 1, {1}}};
  const auto mean = flat(exchange.mean({large, small}));
  EXPECT_FLOAT_EQ(mean[0], (1.2F + 1) / 2);   // 3 * 2/5
  EXPECT_FLOAT_EQ(mean[1], (-1.6F + 1) / 2);  // -4 * 2/5
  TestExchange huge(maker("none+clip:norm=2"), 1);
  EXPECT_FLOAT_EQ(flat(huge.mean({{{0, 1, 1, {3e30F}}, {1, 1, 1, {-4e30F}}}}))[1], -1.6F);
}

TEST(Noise, HasTheWidthOfTheTensorAndIsDrawnAnewInEachStep) {
  const std::vector<float> ones(100'000, 2.0F);
  TestExchange exchange(maker("none+noise:sigma=0.5"), 1);
  const auto first = flat(exchange.mean({vector_of(ones)}));
  const auto second = flat(exchange.mean({vector_of(ones)}));
  double sum = 0, squares = 0, product = 0;
  for (std::size_t i = 0; i < ones.size(); ++i) {
    const double noise = static_cast<double>(first[i]) - 2;
    sum += noise / 1e5;
    squares += noise * noise / 1e5;
    product += noise * (static_cast<double>(second[i]) - 2) / 1e5;
  }
  EXPECT_NEAR(sum, 0, 5 / std::sqrt(1e5));
  EXPECT_NEAR(squares, 1, 5 * std::sqrt(2 / 1e5));
  EXPECT_NEAR(product, 0, 5 / std::sqrt(1e5));
  TestExchange zeros(maker("none+noise:sigma=5"), 1);
  EXPECT_EQ(flat(zeros.mean({{{0, 1, 1, {0}}}})), std::vector<float>{0});
}

// Both phases of a power iteration must see one matrix.
TEST(Noise, IsTheSameInAllPhasesOfAStep) {
  std::vector<float> values(60);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7) - 3;
  TestExchange plain(maker("none+noise:sigma=2"), 1);
  const auto noisy = flat(plain.mean({{{0, 10, 6, values}}}));
  TestExchange before(maker("powersgd:rank=2,min_rate=0+noise:sigma=2"), 1),
      given(maker("powersgd:rank=2,min_rate=0"), 1);
  EXPECT_EQ(flat(before.mean({{{0, 10, 6, values}}})), flat(given.mean({{{0, 10, 6, noisy}}})));
}

}  // namespace
}  // namespace terse
