#include "tersegrad/comm/training/local_sgd.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/safetensors.hpp"

namespace terse {
namespace {

constexpr std::size_t kN = 70;

Tensor ones(std::int64_t n) {
  Tensor t = Tensor::full({n}, 1);
  t.set_requires_grad();
  return t;
}

// The gradient of worker w, which pulls parameter i towards 1 + w + i / 10 with strength
// 1 + 0.01 i.
float pull(int worker, std::size_t i, float x) {
  const auto at = static_cast<float>(i);
  return (1 + 0.01F * at) * (x - 1 - static_cast<float>(worker) - at / 10);
}

// A worker's replica of a model of two tensors. Its gradients are those of `pull`.
struct Replica {
  explicit Replica(const char* rule_spec) : rule(make_update_rule(rule_spec)) {}

  void backward(int worker) {
    parameters.zero_grad();
    const auto x = parameters.values();
    std::vector<float> gradient(kN);
    for (std::size_t i = 0; i < kN; ++i) gradient[i] = pull(worker, i, x[i]);
    const std::span<const float> flat(gradient);
    a.backward(Tensor::from({30}, flat.first(30)));
    b.backward(Tensor::from({40}, flat.subspan(30)));
  }
  std::vector<float> values() { return {parameters.values().begin(), parameters.values().end()}; }

  Tensor a = ones(30), b = ones(40);
  ParameterBuffer parameters{std::vector<ParameterBuffer::Named>{{"a", a}, {"b", b}}};
  std::unique_ptr<UpdateRule> rule;
};

struct Setting {
  TopologyOptions topology{TopologyKind::ring, 3};
  const char* rule = "sgd:momentum=0.9";
  const char* outer = "sgd";
  const char* compressor = "none";
  std::uint64_t every = 1;
  float outer_lr = 1;
};

// Builds the plan and runs `body` on each worker with its replica.
using Body = std::function<void(Worker&, Replica&, LocalSgd&)>;
void with_local_sgd(const Setting& s, const Body& body, NonFinite policy = NonFinite::abort) {
  const TopologyPlan plan(s.topology, *make_compressor(s.compressor));
  const bool turns = s.topology.kind == TopologyKind::local;
  run_workers(
      {.workers = s.topology.workers, .executor = turns ? Executor::turns : Executor::concurrent},
      [&](Worker& me) {
        Replica replica(s.rule);
        LocalSgd local(me, replica.parameters, *replica.rule, make_update_rule(s.outer),
                       make_compressor(s.compressor), plan.join(me),
                       {.every = s.every, .outer_lr = s.outer_lr, .seed = 3, .non_finite = policy});
        body(me, replica, local);
      });
}

void take_steps(Worker& me, Replica& replica, LocalSgd& local, int steps) {
  for (int step = 0; step < steps; ++step) {
    replica.backward(me.rank());
    local.step(0.02F);
  }
}

struct Synchronous {
  std::vector<float> values;
  std::uint64_t bytes = 0;
};
Synchronous synchronous(const Setting& s, int steps) {
  const TopologyPlan plan(s.topology, *make_compressor(s.compressor));
  Synchronous result;
  run_workers({.workers = s.topology.workers}, [&](Worker& me) {
    Replica replica(s.rule);
    DistributedOptimizer optimizer(me, replica.parameters, *replica.rule,
                                   make_compressor(s.compressor), plan.join(me), {.seed = 3});
    for (int step = 0; step < steps; ++step) {
      replica.backward(me.rank());
      optimizer.step(0.02F);
    }
    if (me.rank() == 0) result = {replica.values(), me.counters().bytes_sent};
  });
  return result;
}

// Each step rounds by at most a few units in the last place of parameters of about 8.
TEST(LocalSgd, MeetingAtEveryStepIsSynchronousButForRounding) {
  const Setting setting;
  const auto expected = synchronous(setting, 30);
  with_local_sgd(setting, [&](Worker& me, Replica& replica, LocalSgd& local) {
    take_steps(me, replica, local, 30);
    EXPECT_EQ(local.meetings(), 30);
    for (std::size_t i = 0; i < kN; ++i) {
      EXPECT_NEAR(replica.values()[i], expected.values[i], 1e-5) << i;
    }
  });
}

TEST(LocalSgd, SendsAnExchangeOnlyWhenModelsMeet) {
  for (const TopologyOptions topology :
       {TopologyOptions{TopologyKind::ring, 3}, TopologyOptions{TopologyKind::server, 3, 2}}) {
    for (const char* compressor : {"none", "sign+ef", "powersgd:rank=1"}) {
      const Setting setting{.topology = topology, .compressor = compressor, .every = 4};
      const auto all = synchronous(setting, 12);
      with_local_sgd(setting, [&](Worker& me, Replica& replica, LocalSgd& local) {
        take_steps(me, replica, local, 12);
        EXPECT_EQ(local.meetings(), 3);
        if (me.rank() == 0) {
          EXPECT_GT(all.bytes, 0);
          EXPECT_EQ(4 * me.counters().bytes_sent, all.bytes) << compressor;
        }
        EXPECT_EQ(me.counters().control_messages, 3 * 2);  // one to each of the others
      });
    }
  }
}

TEST(LocalSgd, ModelsGoTheirOwnWaysAndTakeTheirMean) {
  const Setting setting{.rule = "sgd", .every = 3};
  std::vector<double> mean(kN);
  for (int worker = 0; worker < 3; ++worker) {
    for (std::size_t i = 0; i < kN; ++i) {
      float x = 1;
      for (int step = 0; step < 3; ++step) x -= 0.02F * pull(worker, i, x);
      mean[i] += x / 3.0;
    }
  }
  with_local_sgd(setting, [&](Worker& me, Replica& replica, LocalSgd& local) {
    take_steps(me, replica, local, 2);
    EXPECT_NE(replica.values()[5], static_cast<float>(mean[5]));
    EXPECT_EQ(local.meetings(), 0);
    take_steps(me, replica, local, 1);
    for (std::size_t i = 0; i < kN; ++i) EXPECT_NEAR(replica.values()[i], mean[i], 2e-6);
  });
}

// DiLoCo in double: inner SGD, outer Nesterov momentum.
TEST(LocalSgd, OuterNesterovIsThePapersLoop) {
  const Setting setting{
      .rule = "sgd", .outer = "sgd:momentum=0.9,nesterov", .every = 5, .outer_lr = 0.7F};
  std::vector<double> a(kN, 1), m(kN);
  for (int meeting = 0; meeting < 6; ++meeting) {
    for (std::size_t i = 0; i < kN; ++i) {
      double d = 0;
      for (int worker = 0; worker < 3; ++worker) {
        double x = a[i];
        for (int step = 0; step < 5; ++step) {
          const auto at = static_cast<double>(i);
          x -= 0.02 * (1 + 0.01 * at) * (x - 1 - worker - at / 10);
        }
        d += (a[i] - x) / 3;
      }
      m[i] = 0.9 * m[i] + d;
      a[i] -= 0.7 * (d + 0.9 * m[i]);
    }
  }
  with_local_sgd(setting, [&](Worker& me, Replica& replica, LocalSgd& local) {
    take_steps(me, replica, local, 30);
    for (std::size_t i = 0; i < kN; ++i) EXPECT_NEAR(replica.values()[i], a[i], 1e-5) << i;
  });
}

TEST(LocalSgd, HasTheSameBitsOverEveryTopology) {
  for (const char* compressor : {"none", "topk:ratio=0.1+ef", "powersgd:rank=1+ef", "sign+ef"}) {
    std::vector<std::uint64_t> hashes;
    for (const TopologyOptions topology :
         {TopologyOptions{TopologyKind::local, 3}, TopologyOptions{TopologyKind::ring, 3},
          TopologyOptions{TopologyKind::server, 3, 1},
          TopologyOptions{TopologyKind::server, 3, 3}}) {
      const Setting setting{.topology = topology,
                            .rule = "adam",
                            .outer = "sgd:momentum=0.9,nesterov",
                            .compressor = compressor,
                            .every = 3};
      std::uint64_t hash = 0;
      with_local_sgd(setting, [&](Worker& me, Replica& replica, LocalSgd& local) {
        take_steps(me, replica, local, 10);  // ends between two averagings
        if (me.rank() == 1) hash = local.state_hash();
      });
      hashes.push_back(hash);
    }
    for (const auto hash : hashes) EXPECT_EQ(hash, hashes.front()) << compressor;
  }
}

TEST(LocalSgd, GoesOnFromASavedStateAsIfNeverStopped) {
  const Setting setting{.rule = "adam",
                        .outer = "sgd:momentum=0.9,nesterov",
                        .compressor = "topk:ratio=0.1+ef",
                        .every = 4};
  std::vector<std::vector<std::byte>> saved(3);
  std::vector<std::uint64_t> whole(3), again(3);
  with_local_sgd(setting, [&](Worker& me, Replica& replica, LocalSgd& local) {
    const auto rank = static_cast<std::size_t>(me.rank());
    take_steps(me, replica, local, 10);
    saved[rank] = safetensors_of([&](Archive& archive) { local.serialize(archive); });
    take_steps(me, replica, local, 7);
    whole[rank] = local.state_hash();
  });
  with_local_sgd(setting, [&](Worker& me, Replica& replica, LocalSgd& local) {
    const auto rank = static_cast<std::size_t>(me.rank());
    take_steps(me, replica, local, 1);  // loading must replace this state
    load_safetensors("saved", saved[rank], [&](Archive& archive) { local.serialize(archive); });
    take_steps(me, replica, local, 7);
    again[rank] = local.state_hash();
  });
  EXPECT_EQ(whole, again);
  EXPECT_NE(whole[0], whole[1]) << "between meetings each model is its own";
}

TEST(LocalSgd, MeetsEarlyWhenAsked) {
  with_local_sgd({.every = 100}, [&](Worker& me, Replica& replica, LocalSgd& local) {
    local.average_models();
    EXPECT_EQ(me.counters().messages_sent, 0) << "nobody has moved";
    take_steps(me, replica, local, 2);
    local.average_models();
    EXPECT_EQ(local.meetings(), 1);
    const auto sent = me.counters().bytes_sent;
    EXPECT_GT(sent, 0);
    local.average_models();
    EXPECT_EQ(me.counters().bytes_sent, sent);
  });
}

TEST(LocalSgd, RefusesWhatSaysNoMagnitude) {
  for (const char* compressor : {"vote", "vote:beta=0.9", "vote+warmup:steps=5"}) {
    try {
      with_local_sgd({.compressor = compressor}, [](Worker&, Replica&, LocalSgd&) {});
      ADD_FAILURE() << compressor;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find("a direction without a magnitude"),
                std::string::npos)
          << error.what();
    }
  }
  EXPECT_THROW(with_local_sgd({.every = 0}, [](Worker&, Replica&, LocalSgd&) {}), UsageError);
}

// Worker 1 has a NaN in one step. The models are averaged as usual.
std::vector<float> with_one_nan(NonFinite policy) {
  std::vector<float> result;
  with_local_sgd(
      {.rule = "sgd", .every = 2},
      [&](Worker& me, Replica& replica, LocalSgd& local) {
        replica.backward(me.rank());
        EXPECT_TRUE(local.step(0.02F));
        replica.backward(me.rank());
        if (me.rank() == 1) {
          replica.parameters.gradients()[33] = std::numeric_limits<float>::quiet_NaN();
        }
        EXPECT_EQ(local.step(0.02F), me.rank() != 1 || policy == NonFinite::zero);
        if (me.rank() == 0) result = replica.values();
      },
      policy);
  return result;
}

TEST(LocalSgd, NonFiniteGradientsAreEachWorkersOwnAffair) {
  const auto zeroed = with_one_nan(NonFinite::zero), skipped = with_one_nan(NonFinite::skip_step);
  for (std::size_t i = 0; i < kN; ++i) {
    EXPECT_TRUE(std::isfinite(zeroed[i]));
    EXPECT_EQ(zeroed[i] == skipped[i], i == 33) << i;
  }
  try {
    with_one_nan(NonFinite::abort);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what())
                  .find("got 1 infinite or NaN values on worker 1 at local step 1, the first in b"),
              std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace terse
