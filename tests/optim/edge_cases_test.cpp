// Tests of every method in edge cases, for which the laws require only that workers agree: zeros,
// one value, denormals, equal singular values, missing workers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "exchanges.hpp"
#include "tersegrad/optim/testing/law_inputs.hpp"

namespace terse {
namespace {

// The examples of the registry, except for the compressors in `names` and for "momentum".
std::vector<std::string> examples_but(const std::vector<std::string>& names) {
  std::vector<std::string> specs;
  for (const auto& entry : compressor_registry()) {
    if (std::ranges::find(names, entry.name) == names.end() && entry.name != "momentum") {
      specs.emplace_back(entry.example);
    }
  }
  return specs;
}

// A vote has only two results: zeros vote by coin.
const std::vector<std::string> kVotes{"vote", "noisy_sign"};

TEST(EdgeCases, ZeroGradientsMoveNothing) {
  const auto zero = zero_gradients(law_shapes());
  for (const auto& spec : examples_but(kVotes)) {
    TestExchange exchange(maker(spec), 3);
    for (int step = 0; step < 2; ++step) {
      for (const float value : flat(exchange.mean({zero, zero, zero}))) {
        ASSERT_EQ(value, 0) << spec << ", step " << step;
      }
    }
  }
  TestExchange vote(maker("vote"), 3), third(maker("vote:zero=zero,tie=zero"), 3);
  for (const float value : flat(vote.mean({zero, zero, zero}))) ASSERT_EQ(std::abs(value), 1);
  for (const float value : flat(third.mean({zero, zero, zero}))) ASSERT_EQ(value, 0);
}

TEST(EdgeCases, AValueOfZeroAmongOthersStaysZero) {
  auto gradient = normal_gradients({{"", 10, 7}, {"", 40, 1}}, 3);
  for (auto& tensor : gradient) {
    for (std::size_t i = 0; i < tensor.values.size(); i += 3) tensor.values[i] = 0;
  }
  for (const auto* spec : {"none", "qsgd:bits=4", "qsgd:bits=2,code=elias", "terngrad", "natural",
                           "fp16", "bf16", "topk:ratio=0.9", "randomk:ratio=0.9", "randomblock",
                           "threshold", "dgc:ratio=0.9", "wangni:ratio=0.9"}) {
    TestExchange exchange(maker(spec), 1);
    const auto out = exchange.mean({gradient});
    for (const auto& tensor : out) {
      for (std::size_t i = 0; i < tensor.values.size(); i += 3) {
        ASSERT_EQ(tensor.values[i], 0) << spec;
      }
    }
  }
}

TEST(EdgeCases, OneValueIsExact) {
  for (const auto* spec : {"none",
                           "qsgd:bits=4",
                           "terngrad",
                           "int8",
                           "onebit",
                           "sign",
                           "stochastic_sign",
                           "stochastic_sign:norm=max",
                           "ssdm:scaled",
                           "topk:ratio=0.01",
                           "topk:ratio=0.01+sign",
                           "randomk:ratio=0.01",
                           "randomblock:ratio=0.01",
                           "dgc:ratio=0.001",
                           "wangni:ratio=1",
                           "powersgd:rank=2,min_rate=0",
                           "powersgd:alternate,min_rate=0",
                           "svd:rank=2",
                           "unbiased_rank:rank=2",
                           "atomo:rank=2",
                           "gradiveq:slice=8,keep=2",
                           "sign+doublesqueeze"}) {
    for (const float value : {-2.5F, 1e-3F}) {
      TestExchange exchange(maker(spec), 1);
      EXPECT_EQ(flat(exchange.mean({vector_of({value})}))[0], value) << spec;
    }
  }
  for (const auto* spec : {"vote", "ssdm:beta=0.9"}) {
    TestExchange exchange(maker(spec), 1);
    EXPECT_EQ(flat(exchange.mean({vector_of({-2.5F})}))[0], -1) << spec;
  }
}

// Squares of denormals underflow to zero, so that a norm of zero may be a divisor.
TEST(EdgeCases, DenormalsStayFiniteAndSmall) {
  constexpr float kTiny = std::numeric_limits<float>::denorm_min();
  const auto gradient = make_gradients(law_shapes(), [](std::int64_t i) {
    return static_cast<float>(i % 5 - 2) * (i % 2 == 0 ? kTiny : 1e-40F);
  });
  for (const auto& spec : examples_but({"vote", "noisy_sign", "ssdm"})) {
    TestExchange exchange(maker(spec), 2);
    for (const float value : flat(exchange.mean({gradient, gradient}))) {
      ASSERT_LT(std::abs(value), 1e-30F) << spec;  // also fails for NaN
    }
  }
  TestExchange ssdm(maker("ssdm:beta=0.9"), 2);
  for (const float value : flat(ssdm.mean({gradient, gradient}))) ASSERT_LE(std::abs(value), 1);
}

// With k >= n or r >= min(n, m) the result is the exact mean.
TEST(EdgeCases, KeepingEverythingIsExact) {
  const std::vector<OwnedGradients> gradients{normal_gradients(law_shapes(), 1),
                                              normal_gradients(law_shapes(), 2)};
  const auto mean = flat(mean_of(gradients));
  for (const auto* spec :
       {"topk:ratio=1", "topk:k=1000000", "randomk:ratio=1", "randomk:ratio=1,scaled",
        "randomk:k=1000000", "randomblock:ratio=1", "randomblock:k=1000000", "dgc:ratio=1",
        "powersgd:rank=1000,min_rate=0", "svd:rank=1000", "atomo:rank=1000",
        "gradiveq:slice=4,keep=4", "topk:ratio=1+ef", "topk:ratio=1+ef21"}) {
    TestExchange exchange(maker(spec), 2);
    const auto out = flat(exchange.mean(gradients));
    for (std::size_t i = 0; i < mean.size(); ++i) ASSERT_NEAR(out[i], mean[i], 1e-5) << spec;
  }
}

TEST(EdgeCases, EqualMagnitudesGoToTheLowestCoordinates) {
  for (const auto* spec : {"topk:k=3", "dgc:ratio=0.1,sample=1"}) {
    TestExchange exchange(maker(spec), 1);
    const auto out = flat(exchange.mean(
        {make_gradients({{"", 6, 5}}, [](std::int64_t i) { return i % 2 == 0 ? 1.0F : -1.0F; })}));
    for (std::size_t i = 0; i < out.size(); ++i) {
      EXPECT_EQ(out[i], i >= 3 ? 0 : i % 2 == 0 ? 1 : -1) << spec << i;
    }
  }
}

// For the identity, any r directions are optimal. The reconstruction is the projector on r of them.
TEST(EdgeCases, EqualSingularValuesGiveAProjector) {
  constexpr std::int64_t kSize = 6, kRank = 2;
  const auto identity = make_gradients(
      {{"", kSize, kSize}}, [](std::int64_t i) { return i % (kSize + 1) == 0 ? 1.0F : 0.0F; });
  for (const auto* spec : {"powersgd:rank=2", "svd:rank=2", "powersgd:rank=2,alternate"}) {
    TestExchange exchange(maker(spec), 2);
    const auto p = flat(exchange.mean({identity, identity}));
    double trace = 0;
    for (std::int64_t i = 0; i < kSize; ++i) {
      trace += p[i * kSize + i];
      for (std::int64_t j = 0; j < kSize; ++j) {
        double square = 0;
        for (std::int64_t k = 0; k < kSize; ++k) square += p[i * kSize + k] * p[k * kSize + j];
        EXPECT_NEAR(square, p[i * kSize + j], 1e-5) << spec;
        EXPECT_NEAR(p[j * kSize + i], p[i * kSize + j], 1e-5) << spec;
      }
    }
    EXPECT_NEAR(trace, kRank, 1e-5) << spec;
  }
}

// Worker 1 of four has been evicted. The packets of the other three are combined as those of three
// workers.
TEST(EdgeCases, AMissingWorkerIsNoVoteForPlus) {
  const auto shapes = law_shapes();
  for (const auto* spec :
       {"vote", "sign", "ssdm:beta=0.9", "ssdm:scaled", "stochastic_sign", "topk:ratio=0.25",
        "threshold:tau=0.5", "dgc:ratio=0.1", "wangni:ratio=0.5", "qsgd:bits=4", "terngrad",
        "natural", "fp16", "int8", "onebit", "svd:rank=2", "atomo:rank=2"}) {
    std::vector<Packet> up;
    std::vector<double> sum;
    Round round{.seed = 1, .workers = 4};
    const auto server = make_compressor(spec);
    OwnedGradients out = zero_gradients(shapes);
    const auto views = views_of(out);
    round.count = count(views);
    for (const std::uint32_t w : {0U, 2U, 3U}) {
      const auto worker = make_compressor(spec);
      auto gradient = normal_gradients(shapes, w);
      round.worker = w;
      worker->encode(round, views_of(gradient), up.emplace_back());
      worker->reconstruct(round, up.back(), views);
      const auto reconstruction = flat(out);
      sum.resize(reconstruction.size());
      for (std::size_t i = 0; i < reconstruction.size(); ++i) sum[i] += reconstruction[i];
    }
    Packet down;
    round.worker = 0;
    round.workers = 3;
    const std::vector<float> weights(3, 1.0F / 3);
    server->combine(round, views, up, weights, down);
    decode_to(views, *server, round, down);
    const auto values = flat(out);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double expected = spec == std::string("vote") ? (sum[i] > 0 ? 1 : -1) : sum[i] / 3;
      ASSERT_NEAR(values[i], expected, 1e-5 * (1 + std::abs(expected))) << spec << ", value " << i;
    }
  }
}

TEST(EdgeCases, AVoteIsBlindToMagnitudesAndToWhoVotes) {
  std::vector<OwnedGradients> votes;
  for (std::uint32_t w = 0; w < 5; ++w) votes.push_back(normal_gradients(law_shapes(), w));
  const auto result = [](const std::vector<OwnedGradients>& by) {
    TestExchange exchange(maker("vote"), static_cast<int>(by.size()));
    return flat(exchange.mean(by));
  };
  const auto before = result(votes);
  auto turned = votes;
  std::ranges::reverse(turned);
  for (auto& tensor : turned[2]) {
    for (float& value : tensor.values) value *= 1e6F;
  }
  EXPECT_EQ(result(turned), before);
  EXPECT_EQ(result(std::vector<OwnedGradients>(3, votes[1])), result({votes[1]}));
  auto raised = votes;  // one worker votes plus everywhere: no result may fall
  for (auto& tensor : raised[3]) {
    for (float& value : tensor.values) value = std::abs(value);
  }
  const auto after = result(raised);
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_GE(after[i], before[i]);
  EXPECT_NE(after, before);
}

}  // namespace
}  // namespace terse
