// Robust aggregation over every topology: all give the same bits.
#include "tersegrad/comm/topology/robust_compressor.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/error.hpp"
#include "toy_compressors.hpp"

namespace terse {
namespace {

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return std::ranges::equal(std::as_bytes(a), std::as_bytes(b));
}

constexpr int kSteps = 3;

struct Outcome {
  std::vector<std::vector<float>> means;  // by worker: the means of all steps
  std::vector<std::uint64_t> bytes_sent;  // by worker: in all steps
};

// Runs kSteps steps. Worker `byzantine` sends finite values of great magnitude.
Outcome outcome_of(const TopologyOptions& topology, const std::string& compressor,
                   const std::string& aggregation, int byzantine = -1) {
  const auto make = [&] {
    return with_aggregation(parse_aggregation(aggregation), topology, make_compressor(compressor));
  };
  const TopologyPlan plan(topology, *make());
  const auto workers = static_cast<std::size_t>(topology.workers);
  Outcome outcome{.means = std::vector<std::vector<float>>(workers),
                  .bytes_sent = std::vector<std::uint64_t>(workers)};
  run_workers({.workers = topology.workers}, [&](Worker& me) {
    const auto rank = static_cast<std::size_t>(me.rank());
    const auto exchange = plan.join(me);
    const auto own = make();
    const std::vector<std::size_t> sizes = {100, 33, 7, 400, 1};
    toy::Gradients gradients(sizes), mean(sizes);
    for (std::uint64_t step = 0; step < kSteps; ++step) {
      gradients.fill(me.rank(), step);
      if (me.rank() == byzantine) {
        for (auto& value : gradients.values) value *= -1e6F;
      }
      toy::exchange_mean(*exchange, *own, {.seed = 1, .step = step}, gradients.views(),
                         mean.views());
      auto& all = outcome.means[rank];
      all.insert(all.end(), mean.values.begin(), mean.values.end());
    }
    outcome.bytes_sent[rank] = me.counters().bytes_sent;
  });
  return outcome;
}

class RobustExchange : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, RobustExchange,
                         testing::Values("none", "sign+ef", "qsgd", "topk:ratio=0.1+ef", "vote",
                                         "randomk:ratio=0.1", "topk:ratio=0.1,scope=model",
                                         "topk:ratio=0.1+ef+warmup:steps=1", "ssdm"));

TEST_P(RobustExchange, GivesTheBitsOfTheLocalReference) {
  for (const int workers : {3, 4, 7}) {
    for (const auto* rule : {"median", "trimmed", "krum:f=0"}) {
      SCOPED_TRACE(rule);
      const auto reference = outcome_of({TopologyKind::local, workers}, GetParam(), rule);
      const auto expect_equal = [&](const TopologyOptions& options) {
        const auto got = outcome_of(options, GetParam(), rule);
        for (const auto& mean : got.means) {
          EXPECT_TRUE(same_bits(mean, reference.means.front())) << to_string(options.kind);
        }
      };
      for (const int servers : {1, 2, workers}) {
        expect_equal({TopologyKind::server, workers, servers});
      }
      if (!make_compressor(GetParam())->traits(0).linear) {
        expect_equal({TopologyKind::ring, workers});
      }
    }
  }
}

TEST(RobustExchange, TheMedianOfVotesIsTheVote) {
  const TopologyOptions options{TopologyKind::server, 5, 2};
  EXPECT_EQ(outcome_of(options, "vote", "median").means, outcome_of(options, "vote", "mean").means);
}

// The noisy median moves from the median of the workers to their mean. The values follow from the
// density of the middle one of three normal variables around 0, 0 and 3, by numerical integration.
TEST(RobustExchange, TheMedianOfNoisyGradientsMovesToTheMean) {
  constexpr int kWorkers = 3;
  const std::vector<std::size_t> sizes = {400'000};
  for (const auto& [sigma, wanted] :
       {std::pair(0.0, 0.0), {1.0, 0.549}, {3.0, 0.915}, {10.0, 0.992}}) {
    const auto compressor = [&, sigma = sigma] {
      return with_aggregation(
          parse_aggregation("median"), {TopologyKind::local, kWorkers},
          make_compressor(fmt::format("none+noise:sigma={},scale=absolute", sigma)));
    };
    const TopologyPlan plan({TopologyKind::local, kWorkers}, *compressor());
    double sum = 0;
    run_workers({.workers = kWorkers}, [&](Worker& me) {
      const auto exchange = plan.join(me);
      const auto own = compressor();
      toy::Gradients gradients(sizes), mean(sizes);
      std::ranges::fill(gradients.values, me.rank() == 2 ? 3.0F : 0.0F);
      toy::exchange_mean(*exchange, *own, {.seed = 1, .step = 0}, gradients.views(), mean.views());
      if (me.rank() == 0) sum = std::accumulate(mean.values.begin(), mean.values.end(), 0.0);
    });
    EXPECT_NEAR(sum / 4e5, wanted, 5e-4 + 5 * sigma / std::sqrt(4e5)) << "sigma " << sigma;
  }
}

TEST(RobustExchange, TrimmingNobodyIsTheMeanButForRounding) {
  const TopologyOptions options{TopologyKind::server, 4};
  const auto trimmed = outcome_of(options, "none", "trimmed:f=0").means.front();
  const auto mean = outcome_of(options, "none", "mean").means.front();
  toy::Gradients gradients({541});
  for (std::size_t i = 0; i < mean.size(); ++i) {
    if (i % 541 == 0) gradients.fill(0, i / 541);
    const auto magnitude = std::abs(gradients.values[i % 541]) + std::abs(mean[i]);
    EXPECT_NEAR(trimmed[i], mean[i], 1e-5 * magnitude);
  }
}

TEST(RobustExchange, OneLiarMovesTheMeanAlone) {
  const TopologyOptions options{TopologyKind::server, 7};
  const auto norm = [&](const char* rule, int byzantine) {
    const auto mean = outcome_of(options, "none", rule, byzantine).means.front();
    return std::sqrt(std::inner_product(mean.begin(), mean.end(), mean.begin(), 0.0));
  };
  for (const auto* rule : {"median", "trimmed", "krum"}) {
    EXPECT_LT(norm(rule, 6), 5 * norm(rule, -1)) << rule;
  }
  EXPECT_GT(norm("mean", 6), 1e5 * norm("mean", -1));
}

TEST(RobustExchange, SendsPacketsUpAndTheDenseAnswerDown) {
  constexpr std::uint64_t kHeader = Packet::kHeaderBytes, kDense = 541 * sizeof(float);
  const auto sent = outcome_of({TopologyKind::server, 3}, "vote", "median").bytes_sent;
  EXPECT_EQ(sent[0], kSteps * 2 * (kHeader + kDense));
  EXPECT_EQ(sent[1], kSteps * (kHeader + 17 * sizeof(std::uint32_t)));
  EXPECT_EQ(sent[2], sent[1]);
}

TEST(RobustExchange, RefusesAnswersOfAnotherSize) {
  const auto compressor = with_aggregation(parse_aggregation("median"), {TopologyKind::local, 3},
                                           make_compressor("none"));
  toy::Gradients gradients({5, 6});
  for (const std::size_t bytes : {0, 40, 48}) {
    const Packet answer({.kind = PacketKind::down, .tensors = 2}, bytes);
    EXPECT_THROW(compressor->decode({}, answer, gradients.views()), PacketError) << bytes;
  }
  const Packet up({.kind = PacketKind::up, .tensors = 2}, 44);
  EXPECT_THROW(compressor->decode({}, up, gradients.views()), PacketError);
}

TEST(RobustExchange, APacketThatIsNotOneIsALiar) {
  const auto compressor = with_aggregation(parse_aggregation("median"), {TopologyKind::local, 3},
                                           make_compressor("none"));
  toy::Gradients gradients({5, 6}), mean({5, 6});
  std::vector<Packet> up(3);
  for (std::uint32_t worker = 0; worker < 3; ++worker) {
    std::ranges::fill(gradients.values, static_cast<float>(worker));
    compressor->encode({.worker = worker, .workers = 3}, gradients.views(), up[worker]);
  }
  const auto median = [&] {
    Packet down;
    compressor->combine({.workers = 3}, gradients.views(), up, {}, down);
    decode_to(mean.views(), *compressor, {.workers = 3}, down);
    return mean.values;
  };
  EXPECT_EQ(median(), std::vector<float>(11, 1));
  up[0].start(up[0].header(), 40);  // one float too few: counts as NaN, above all others
  EXPECT_EQ(median(), std::vector<float>(11, 2));
  up[2].start({.compressor = 77}, 44);
  EXPECT_TRUE(std::isnan(median().front()));  // two of three packets are invalid
}

TEST(RobustExchange, EndsWhenTooFewWorkersAreLeft) {
  const auto compressor = with_aggregation(parse_aggregation("trimmed:f=1"),
                                           {TopologyKind::local, 3}, make_compressor("none"));
  toy::Gradients gradients({5});
  std::vector<Packet> up(2);
  for (auto& packet : up) compressor->encode({}, gradients.views(), packet);
  Packet down;
  EXPECT_THROW(compressor->combine({}, gradients.views(), up, {}, down), UsageError);
}

TEST(WithAggregation, LeavesTheMeanAlone) {
  auto none = make_compressor("none");
  const auto* const same = none.get();
  EXPECT_EQ(with_aggregation({}, {TopologyKind::ring, 1}, std::move(none)).get(), same);
}

TEST(WithAggregation, SaysWhyItRefuses) {
  const auto refusal = [](const TopologyOptions& options, const char* compressor,
                          const char* aggregation) -> std::string {
    try {
      with_aggregation(parse_aggregation(aggregation), options, make_compressor(compressor));
    } catch (const UsageError& error) {
      return error.what();
    }
    return "nothing refused";
  };
  const auto expect = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  const TopologyOptions server{TopologyKind::server, 4};
  expect(refusal({TopologyKind::ring, 4}, "none", "median"), "take topology server");
  expect(refusal(server, "powersgd+ef", "median"), "decoded alone");
  expect(refusal(server, "topk+ef:target=averaged", "median"), "decoded alone");
  expect(refusal(server, "sign+ef21", "krum"), "decoded alone");
  expect(refusal(server, "none", "trimmed:f=2"), "more than 4 workers with f=2");
  expect(refusal(server, "none", "krum:f=2"), "at least 7 for the guarantee; got 4");
  expect(refusal({.kind = TopologyKind::ring, .workers = 4, .all_reduce = AllReduce::tree}, "sign",
                 "median"),
         "packets are gathered and not added");
  expect(refusal({TopologyKind::ring, 4}, "sign", "median"), "nothing refused");
}

}  // namespace
}  // namespace terse
