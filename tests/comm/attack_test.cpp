// Each attack changes exactly what it documents, and only on the attackers.
#include "tersegrad/comm/faults/attack.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "tersegrad/comm/training/distributed_optimizer.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/error.hpp"
#include "toy_compressors.hpp"

namespace terse {
namespace {

constexpr int kWorkers = 4;

// Worker `rank` of four: its honest gradients and those that it sends.
class Attacker {
 public:
  Attacker(std::string_view spec, int rank = kWorkers - 1, std::uint64_t seed = 3)
      : rank_(rank), attack_(parse_attack(spec), seed, rank, kWorkers) {}

  const std::vector<float>& honest(std::uint64_t step) {
    gradients_.fill(rank_, step);
    return gradients_.values;
  }
  std::vector<float> sends(std::uint64_t step) {
    honest(step);
    attack_.apply(step, gradients_.views());
    return gradients_.values;
  }

 private:
  int rank_;
  toy::Gradients gradients_{{5, 9000, 1}};
  ValueAttack attack_;
};

std::vector<float> times(std::vector<float> values, float factor) {
  for (auto& value : values) value *= factor;
  return values;
}
double length(const std::vector<float>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

TEST(Attack, IsTheSameAfterItsSpecWasWritten) {
  for (const auto* spec :
       {"none", "sign-flip:workers=3", "random:workers=1", "random:workers=2,scale=0.25",
        "zero:workers=1,at=7", "scale:workers=1,factor=-3", "stale:workers=0,steps=4",
        "collude:workers=2,scale=1", "nan:workers=1,at=5,all=true"}) {
    EXPECT_EQ(to_string(parse_attack(spec)), spec);
  }
  EXPECT_EQ(to_string(parse_attack("")), "none");
  EXPECT_EQ(to_string(parse_attack("sign-flip")), "sign-flip:workers=1");
}

TEST(Attack, AnUnknownNameOrOptionListsTheKnownOnes) {
  const auto error_of = [](std::string_view spec) -> std::string {
    try {
      parse_attack(spec);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(error_of("sign-flop").find("attack 'sign-flop' is not known; did you mean sign-flip?"),
            0U);
  EXPECT_NE(error_of("zero:factor=2").find("attack 'zero': option 'factor' is not known"),
            std::string::npos);
  EXPECT_NE(error_of("scale:factor=x").find("factor must be a number"), std::string::npos);
  EXPECT_NE(error_of("zero+nan").find("zero+nan"), std::string::npos);
  EXPECT_THROW(check_attack(parse_attack("zero:workers=5"), kWorkers), UsageError);
  EXPECT_NO_THROW(check_attack(parse_attack("zero:workers=4"), kWorkers));
}

TEST(Attack, ComesFromTheLastWorkersAlone) {
  for (int attackers = 0; attackers <= kWorkers; ++attackers) {
    for (int rank = 0; rank < kWorkers; ++rank) {
      Attacker one("sign-flip:workers=" + std::to_string(attackers), rank);
      const auto honest = one.honest(2);
      EXPECT_EQ(one.sends(2), times(honest, rank >= kWorkers - attackers ? -1.0F : 1.0F));
    }
  }
}

TEST(Attack, AtAStepLeavesTheOthersAlone) {
  for (const std::string spec : {"sign-flip:", "random:", "zero:", "scale:factor=2,",
                                 "stale:steps=1,", "collude:", "nan:"}) {
    Attacker one(spec + "at=3");
    for (std::uint64_t step = 0; step < 6; ++step) {
      const auto honest = one.honest(step);
      EXPECT_EQ(one.sends(step) == honest, step != 3) << spec << step;
    }
  }
}

TEST(Attack, ScaleAndZeroMultiply) {
  Attacker zero("zero"), scale("scale:factor=-2.5");
  EXPECT_EQ(zero.sends(1), std::vector<float>(9006, 0.0F));
  EXPECT_EQ(scale.sends(1), times(scale.honest(1), -2.5F));
}

TEST(Attack, NanHitsOneValueOrAll) {
  const auto nans = [](const std::vector<float>& values) {
    return std::ranges::count_if(values, [](float value) { return std::isnan(value); });
  };
  Attacker one("nan"), all("nan:all");
  auto sent = one.sends(0);
  EXPECT_TRUE(std::isnan(sent.front()));
  EXPECT_EQ(nans(sent), 1);
  EXPECT_EQ(nans(all.sends(0)), 9006);
}

TEST(Attack, StaleRepeatsTheGradientOfSomeStepsAgo) {
  for (const int steps : {1, 2, 5}) {
    Attacker one("stale:steps=" + std::to_string(steps));
    for (std::uint64_t step = 0; step < 12; ++step) {
      const auto then = step - std::min(step, static_cast<std::uint64_t>(steps));
      EXPECT_EQ(one.sends(step), one.honest(then)) << steps << " " << step;
    }
  }
}

TEST(Attack, RandomIsNoiseOfTheGradientsLength) {
  Attacker one("random"), other("random:workers=2", 2), again("random"), wide("random:scale=0.5");
  Attacker seeded("random", kWorkers - 1, 4);
  const auto sent = one.sends(5);
  EXPECT_NEAR(length(sent) / length(one.honest(5)), 1, 1e-5);
  EXPECT_EQ(again.sends(5), sent);
  EXPECT_NE(one.sends(6), sent);
  EXPECT_NE(other.sends(5), sent);
  EXPECT_NE(seeded.sends(5), sent);
  // 9006 draws: standard errors are 0.75 % for the deviation and 0.0053 for the mean.
  const auto noise = wide.sends(5);
  EXPECT_NEAR(length(noise) / std::sqrt(9006.0), 0.5, 5 * 0.0075 * 0.5);
  EXPECT_NEAR(std::accumulate(noise.begin(), noise.end(), 0.0) / 9006, 0, 5 * 0.0053);
}

TEST(Attack, ColludersSayTheSameAtEveryStep) {
  Attacker one("collude:workers=2"), other("collude:workers=2", 2);
  const auto first = one.sends(0), second = other.sends(9);
  EXPECT_NEAR(length(first) / length(one.honest(0)), 1, 1e-5);
  double product = 0;
  for (std::size_t i = 0; i < first.size(); ++i) product += double{first[i]} * double{second[i]};
  EXPECT_NEAR(product / (length(first) * length(second)), 1, 1e-6);

  Attacker loud("collude:workers=2,scale=3"), louder("collude:workers=2,scale=3", 2);
  EXPECT_EQ(loud.sends(0), louder.sends(9));
}

TEST(Attack, OfAMinorityTurnsTheMeanByItsShare) {
  const TopologyPlan plan({TopologyKind::ring, kWorkers}, toy::Plain());
  run_workers({.workers = kWorkers}, [&](Worker& me) {
    Tensor x = Tensor::full({8}, 1);
    x.set_requires_grad();
    ParameterBuffer parameters{std::vector<ParameterBuffer::Named>{{"x", x}}};
    const auto rule = make_update_rule("sgd");
    DistributedOptimizer optimizer(me, parameters, *rule, std::make_unique<toy::Plain>(),
                                   plan.join(me), {.attack = parse_attack("scale:factor=-7,at=1")});
    for (const float expected : {1.0F, -1.0F, 1.0F}) {  // (1 + 1 + 1 - 7) / 4
      optimizer.zero_grad();
      x.backward(Tensor::full({8}, 1));
      const float before = x.data()[5];
      optimizer.step(0.125F);
      EXPECT_EQ(before - x.data()[5], 0.125F * expected);
    }
  });
}

// The attack happens before the agreement, so the other workers learn of the NaN.
TEST(Attack, OfNanIsFoundLikeAnyOther) {
  const TopologyPlan plan({TopologyKind::server, 3}, toy::Plain());
  run_workers({.workers = 3}, [&](Worker& me) {
    Tensor x = Tensor::full({8}, 1);
    x.set_requires_grad();
    ParameterBuffer parameters{std::vector<ParameterBuffer::Named>{{"x", x}}};
    const auto rule = make_update_rule("sgd");
    DistributedOptimizer optimizer(me, parameters, *rule, std::make_unique<toy::Plain>(),
                                   plan.join(me), {.attack = parse_attack("nan:at=1,all")});
    EXPECT_TRUE(optimizer.step(0.1F));
    try {
      optimizer.step(0.1F);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_NE(
          std::string(error.what()).find("got 8 infinite or NaN values on worker 2 at step 1"),
          std::string::npos)
          << error.what();
    }
  });
}

TEST(Attack, AtAStepThatIsSkippedIsOver) {
  const TopologyPlan plan({TopologyKind::ring, 2}, toy::Plain());
  run_workers({.workers = 2}, [&](Worker& me) {
    Tensor x = Tensor::full({8}, 1);
    x.set_requires_grad();
    ParameterBuffer parameters{std::vector<ParameterBuffer::Named>{{"x", x}}};
    const auto rule = make_update_rule("sgd");
    DistributedOptimizer optimizer(
        me, parameters, *rule, std::make_unique<toy::Plain>(), plan.join(me),
        {.non_finite = NonFinite::skip_step, .attack = parse_attack("nan:at=1")});
    for (int step = 0; step < 4; ++step) {
      optimizer.zero_grad();
      EXPECT_EQ(optimizer.step(0.1F), step != 1);
    }
  });
}

}  // namespace
}  // namespace terse
