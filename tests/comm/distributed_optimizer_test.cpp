#include "tersegrad/comm/training/distributed_optimizer.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>

#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/safetensors.hpp"
#include "tersegrad/optim/compressor.hpp"
#include "toy_compressors.hpp"

namespace terse {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// A worker's replica of a model of two tensors of ones, trained by SGD.
struct Replica {
  Replica(Worker& me, const TopologyPlan& plan, NonFinite policy,
          std::unique_ptr<Compressor> compressor = std::make_unique<toy::Plain>())
      : optimizer(me, parameters, *rule, std::move(compressor), plan.join(me),
                  {.seed = 5, .non_finite = policy}) {}

  static Tensor ones(std::int64_t n) {
    Tensor t = Tensor::full({n}, 1);
    t.set_requires_grad();
    return t;
  }
  // One step with the values of `gradients`.
  bool step(float lr) {
    optimizer.zero_grad();
    const std::span<const float> flat(gradients.values);
    a.backward(Tensor::from({3}, flat.first(3)));
    b.backward(Tensor::from({4}, flat.subspan(3)));
    return optimizer.step(lr);
  }
  std::vector<float> values() { return {parameters.values().begin(), parameters.values().end()}; }

  Tensor a = ones(3), b = ones(4);
  ParameterBuffer parameters{std::vector<ParameterBuffer::Named>{{"a", a}, {"b", b}}};
  std::unique_ptr<UpdateRule> rule = make_update_rule("sgd");
  toy::Gradients gradients{{3, 4}};
  DistributedOptimizer optimizer;
};

TEST(DistributedOptimizer, AppliesTheMeanOnEveryWorker) {
  const TopologyPlan plan({TopologyKind::ring, 4}, toy::Plain());
  run_workers({.workers = 4}, [&](Worker& me) {
    Replica replica(me, plan, NonFinite::abort);
    std::ranges::fill(replica.gradients.values, static_cast<float>(me.rank()));
    EXPECT_TRUE(replica.step(0.5F));
    EXPECT_EQ(replica.values(), std::vector<float>(7, 1.0F - 0.5F * 1.5F));
    EXPECT_EQ(replica.optimizer.counts().steps, 1);
    EXPECT_EQ(replica.optimizer.message_bytes(), 28);
    EXPECT_GT(me.times()[Part::update], 0);
    replica.optimizer.zero_grad();
    EXPECT_TRUE(replica.optimizer.step(0.5F));  // without backward, so the gradients are zero
    EXPECT_EQ(replica.values(), std::vector<float>(7, 1.0F - 0.5F * 1.5F));
  });
}

TEST(DistributedOptimizer, TheSameTrainingHasTheSameHashInEveryTopology) {
  const auto train = [](const TopologyOptions& options, Executor executor) {
    const TopologyPlan plan(options, toy::Peaks());
    std::uint64_t hash = 0;
    run_workers({.workers = 3, .executor = executor}, [&](Worker& me) {
      Replica replica(me, plan, NonFinite::abort, std::make_unique<toy::Peaks>());
      for (std::uint64_t step = 0; step < 5; ++step) {
        replica.gradients.fill(me.rank(), step);
        replica.step(0.01F);
      }
      if (me.rank() == 1) hash = replica.optimizer.state_hash();
    });
    return hash;
  };
  const auto reference = train({TopologyKind::local, 3}, Executor::turns);
  EXPECT_EQ(train({TopologyKind::ring, 3}, Executor::concurrent), reference);
  EXPECT_EQ(train({TopologyKind::server, 3, 2}, Executor::concurrent), reference);
  EXPECT_EQ(train({TopologyKind::server, 3, 3}, Executor::turns), reference);
}

TEST(NonFinite, AbortThrowsTheSameErrorOnEveryWorker) {
  const TopologyPlan plan({TopologyKind::ring, 3}, toy::Plain());
  run_workers({.workers = 3}, [&](Worker& me) {
    Replica replica(me, plan, NonFinite::abort);
    if (me.rank() == 1) {
      replica.gradients.values[4] = kNan;
      replica.gradients.values[6] = -kInfinity;
    }
    try {
      replica.step(1.0F);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what())
                    .find("got 2 infinite or NaN values on worker 1 at step 0, "
                          "the first in b"),
                std::string::npos)
          << error.what();
    }
    EXPECT_EQ(replica.values(), std::vector<float>(7, 1.0F));
  });
}

TEST(NonFinite, SkipStepChangesNothingOnAnyWorker) {
  const TopologyPlan plan({TopologyKind::server, 3, 2}, toy::Peaks());
  run_workers({.workers = 3}, [&](Worker& me) {
    Replica replica(me, plan, NonFinite::skip_step, std::make_unique<toy::Peaks>());
    replica.gradients.fill(me.rank(), 0);
    EXPECT_TRUE(replica.step(0.1F));
    const auto before = replica.values();
    const auto sent = me.counters().bytes_sent;
    if (me.rank() == 2) replica.gradients.values[0] = kInfinity;
    EXPECT_FALSE(replica.step(0.1F));
    EXPECT_EQ(replica.values(), before);
    EXPECT_EQ(me.counters().bytes_sent, sent);
    EXPECT_EQ(replica.optimizer.counts().steps, 1);
    EXPECT_EQ(replica.optimizer.counts().skipped_steps, 1);
    replica.gradients.values[0] = 1;
    EXPECT_TRUE(replica.step(0.1F));
  });
}

TEST(NonFinite, ZeroReplacesTheBadValuesOnly) {
  const TopologyPlan plan({TopologyKind::ring, 2}, toy::Plain());
  run_workers({.workers = 2}, [&](Worker& me) {
    Replica replica(me, plan, NonFinite::zero);
    std::ranges::fill(replica.gradients.values, 1.0F);
    if (me.rank() == 0) replica.gradients.values[2] = kNan;
    EXPECT_TRUE(replica.step(1.0F));
    EXPECT_EQ(replica.values(), (std::vector<float>{0, 0, 0.5F, 0, 0, 0, 0}));
    EXPECT_EQ(replica.optimizer.counts().zeroed_values, 1);
  });
}

TEST(DistributedOptimizer, SavesTheStateOfATensorUnderItsName) {
  const TopologyPlan plan({TopologyKind::ring, 2}, *make_compressor("sign+ef"));
  run_workers({.workers = 2}, [&](Worker& me) {
    Replica replica(me, plan, NonFinite::abort, make_compressor("sign+ef"));
    replica.gradients.fill(me.rank(), 0);
    replica.step(0.1F);
    const auto bytes = safetensors_of([&](Archive& archive) {
      const auto scope = archive.scope(fmt::format("worker.{}", me.rank()));
      replica.optimizer.serialize(archive);
    });
    const Safetensors file("state", bytes);
    const auto found = file.arrays().find(fmt::format("worker.{}/ef.residual/b", me.rank()));
    ASSERT_NE(found, file.arrays().end());
    EXPECT_EQ(found->second.data.size(), 4 * sizeof(float));
  });
}

TEST(DistributedOptimizer, WorkersAtDifferentStepsAreAnError) {
  const TopologyPlan plan({TopologyKind::ring, 2}, toy::Plain());
  try {
    run_workers({.workers = 2, .executor = Executor::turns}, [&](Worker& me) {
      Replica replica(me, plan, NonFinite::abort);
      if (me.rank() == 1) {  // loads a checkpoint of another run
        const auto saved = safetensors_of([](Archive& archive) {
          std::uint64_t seven = 7, none = 0;
          archive.item("steps", seven);
          archive.item("skipped_steps", none);
          archive.item("zeroed_values", none);
          std::vector<float> momentum, a(3, 1.0F), b(4, 1.0F);
          archive.item("sgd.momentum", momentum);
          const auto model = archive.scope("model");
          archive.item("a", std::span(a));
          archive.item("b", std::span(b));
        });
        load_safetensors("of another run", saved,
                         [&](Archive& archive) { replica.optimizer.serialize(archive); });
      }
      replica.step(1.0F);
    });
    FAIL();
  } catch (const PacketError& error) {
    EXPECT_STREQ(error.what(),
                 "recv: worker 1 got a packet of step 0 from worker 0; expected step 7");
  }
}

TEST(NonFinite, ReadsTheNamesThatItPrints) {
  for (const auto policy : {NonFinite::abort, NonFinite::skip_step, NonFinite::zero}) {
    EXPECT_EQ(parse_non_finite(to_string(policy)), policy);
  }
  EXPECT_THROW(parse_non_finite("ignore"), UsageError);
}

}  // namespace
}  // namespace terse
