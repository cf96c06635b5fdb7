// Attacks by workers of an asynchronous server: each has its documented effect.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "async_toys.hpp"
#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

constexpr int kWorkers = 5;

toy::AsyncSetting setting(const std::string& attack, int workers = kWorkers,
                          const std::string& compressor = "topk:ratio=0.1+ef") {
  return {.options = {.workers = workers,
                      .updates = 300,
                      .seed = 3,
                      .compressor = compressor,
                      .attack = parse_attack(attack)}};
}

// A learner whose last two workers return corrupt(the gradients of all their steps so far).
using Corruption =
    std::function<std::vector<float>(const std::vector<std::vector<float>>& gradients)>;
class ByzantineLearner final : public toy::BowlLearner {
 public:
  ByzantineLearner(int worker, Corruption corrupt)
      : BowlLearner(worker), corrupt_(std::move(corrupt)) {}
  Result gradient(std::span<const float> x) override {
    const auto result = BowlLearner::gradient(x);
    gradients_.emplace_back(result.gradient.begin(), result.gradient.end());
    if (worker_ >= kWorkers - 2) gradient_ = corrupt_(gradients_);
    return {.loss = result.loss, .gradient = gradient_};
  }

 private:
  Corruption corrupt_;
  std::vector<std::vector<float>> gradients_;
};

Corruption times(float factor) {
  return [factor](const auto& gradients) {
    auto g = gradients.back();
    for (auto& value : g) value *= factor;
    return g;
  };
}

TEST(AsyncAttack, IsWhatTheSameLieOfALearnerWouldBe) {
  const Corruption three_ago = [](const auto& gradients) {
    return gradients[gradients.size() - 1 - std::min<std::size_t>(3, gradients.size() - 1)];
  };
  const Corruption at_seven = [](const auto& gradients) {
    return times(gradients.size() == 8 ? -1.0F : 1.0F)(gradients);
  };
  const auto honest = toy::run(setting("none")).values;
  for (const auto& [attack, corrupt] :
       std::vector<std::pair<std::string, Corruption>>{{"sign-flip:workers=2", times(-1)},
                                                       {"zero:workers=2", times(0)},
                                                       {"scale:workers=2,factor=-3", times(-3)},
                                                       {"stale:workers=2,steps=3", three_ago},
                                                       {"sign-flip:workers=2,at=7", at_seven}}) {
    auto byzantine = setting("none");
    byzantine.make_learner = [&same = corrupt](int worker) {
      return std::make_unique<ByzantineLearner>(worker, same);
    };
    const auto attacked = toy::run(setting(attack));
    EXPECT_EQ(attacked.values, toy::run(byzantine).values) << attack;
    EXPECT_NE(attacked.values, honest) << attack;
    EXPECT_EQ(attacked.result.state_hash, toy::run(setting(attack)).result.state_hash) << attack;
  }
}

// Holds bit for bit for every compressor and rule that is symmetric in the sign.
TEST(AsyncAttack, FlippedSignsOfAllClimbToTheBit) {
  for (const std::string compressor : {"none", "topk:ratio=0.1+ef", "qsgd"}) {
    for (const std::string rule : {"vanilla", "softsync:n=2", "staleness_aware"}) {
      auto attacked = setting("sign-flip:workers=5", kWorkers, compressor);
      attacked.options.rule = rule;
      auto climbing = setting("none", kWorkers, compressor);
      climbing.options.rule = rule;
      climbing.lr = -climbing.lr;
      EXPECT_EQ(toy::run(attacked).values, toy::run(climbing).values) << compressor << ", " << rule;
    }
  }
}

std::vector<float> moved(const std::vector<float>& values) {
  auto by = values;
  for (auto& value : by) value -= 1;
  return by;
}

TEST(AsyncAttack, ColludersGoOneWayAndNoiseGoesAnother) {
  auto one = setting("collude:workers=5,scale=0.1", kWorkers, "none");
  auto all = one;
  one.options.updates = 1;
  const auto step = moved(toy::run(one).values), walk = moved(toy::run(all).values);
  for (std::size_t i = 0; i < step.size(); ++i) EXPECT_NEAR(walk[i], 300 * step[i], 2e-4);

  const auto length = [](const std::vector<float>& values) {
    double squares = 0;
    for (const double value : values) squares += value * value;
    return std::sqrt(squares);
  };
  // A random walk of 300 steps with rate 0.01 in 100 dimensions with deviation 0.1: the distance is
  // sqrt(300) times that of one step, with a standard deviation of 7 % (100 draws).
  const auto noise =
      moved(toy::run(setting("random:workers=5,scale=0.1", kWorkers, "none")).values);
  EXPECT_NEAR(length(noise) / (0.001 * std::sqrt(300.0 * 100)), 1, 5 * 0.07);
  EXPECT_GT(length(walk), 10 * length(noise));
}

TEST(AsyncAttack, ANanIsFoundOnTheWorkerOrIsZero) {
  for (const auto clock : {AsyncClock::virtual_time, AsyncClock::real_time}) {
    auto attacked = setting("nan:at=4,all");
    attacked.options.bound = 1;  // without a bound, one thread might make all updates
    attacked.options.clock = clock;
    try {
      toy::run(attacked);
      ADD_FAILURE();
    } catch (const NonFiniteGradient& error) {
      EXPECT_NE(std::string(error.what())
                    .find("got 100 infinite or NaN values on worker 4 at its "
                          "step 4, the first in a"),
                std::string::npos)
          << error.what();
    }
  }
  auto zeroed = setting("nan:workers=2,all");
  zeroed.options.non_finite = NonFinite::zero;
  EXPECT_EQ(toy::run(zeroed).values, toy::run(setting("zero:workers=2")).values);
}

TEST(AsyncAttack, ADeathEndsTheRun) {
  for (const std::string rule : {"vanilla", "hogwild"}) {
    for (const auto clock : {AsyncClock::virtual_time, AsyncClock::real_time}) {
      if (rule == "hogwild" && clock == AsyncClock::virtual_time) continue;
      auto attacked = setting("die:at=9,workers=5");
      attacked.options.rule = rule;
      attacked.options.clock = clock;
      try {
        toy::run(attacked);
        ADD_FAILURE();
      } catch (const Error& error) {
        const std::string text = error.what();
        EXPECT_EQ(text.find("attack: worker "), 0U) << text;
        EXPECT_TRUE(text.ends_with("dies at step 9")) << text;
      }
    }
  }
}

// With one worker a run in real time repeats.
std::vector<float> alone(const std::string& attack, AsyncClock clock,
                         const std::string& rule = "vanilla") {
  auto one = setting(attack, 1, "none");
  one.options.clock = clock;
  one.options.rule = rule;
  return toy::run(one).values;
}

TEST(AsyncAttack, IsTheSameOnBothClocks) {
  for (const std::string attack : {"sign-flip", "random", "zero", "scale:factor=0.5",
                                   "stale:steps=4", "collude", "sign-flip:at=11"}) {
    const auto values = alone(attack, AsyncClock::virtual_time);
    EXPECT_EQ(alone(attack, AsyncClock::real_time), values) << attack;
    const auto shared = alone(attack, AsyncClock::real_time, "hogwild");
    for (std::size_t i = 0; i < values.size(); ++i) {
      EXPECT_NEAR(shared[i], values[i], 2e-6F * std::max(1.0F, std::abs(values[i]))) << attack;
    }
  }
}

TEST(AsyncAttack, PushesAreSpoiledOnTheWire) {
  const auto real = AsyncClock::real_time;
  EXPECT_EQ(alone("replay", real), alone("stale:steps=1", real)) << "of packets without memory";
  EXPECT_EQ(alone("delay:ms=0.1", real), alone("none", real));
  EXPECT_NE(alone("bit-flip:rate=3e-4,at=5", real), alone("none", real)) << "it is understood";
  const auto error_of = [&](const std::string& attack) -> std::string {
    auto attacked = setting(attack);
    attacked.options.bound = 1;
    attacked.options.clock = real;
    try {
      toy::run(attacked);
    } catch (const PacketError& error) {
      return error.what();
    }
    return "no error";
  };
  // Worker 4 is rank 5 of the run; rank 0 is the server.
  EXPECT_NE(error_of("bit-flip:rate=0.01,checksum=keep,at=2").find("from worker 5"),
            std::string::npos);
  EXPECT_NE(error_of("duplicate:at=2").find("from worker 5"), std::string::npos);
}

}  // namespace
}  // namespace terse
