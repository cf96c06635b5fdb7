// Asynchronous runs: equality with other runs bit for bit, counts of bytes, and errors.
#include "tersegrad/comm/async/async.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "async_toys.hpp"
#include "tersegrad/comm/async/async_worker.hpp"
#include "tersegrad/comm/training/distributed_optimizer.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/optim/testing/state.hpp"

namespace terse {
namespace {

using toy::simulate;

// ---- equality with other runs -------------------------------------------------------------------

TEST(AsyncRun, RepeatsBitForBit) {
  const auto hash = [](std::uint64_t seed) {
    return toy::run({.options = {.workers = 7,
                                 .updates = 300,
                                 .seed = seed,
                                 .compressor = "topk:ratio=0.1+ef",
                                 .rule = "dc_asgd_adaptive"}})
        .result.state_hash;
  };
  const int threads = thread_count();
  set_thread_count(1);
  const auto reference = hash(5);
  set_thread_count(2);
  EXPECT_EQ(hash(5), reference);
  set_thread_count(threads);
  EXPECT_NE(hash(6), reference);
}

TEST(AsyncRun, OneWorkerIsPlainTrainingToTheBit) {
  for (const char* update : {"sgd", "sgd:momentum=0.9", "adam"}) {
    for (const auto clock : {AsyncClock::virtual_time, AsyncClock::real_time}) {
      const auto run =
          toy::run({.options = {.workers = 1, .updates = 60, .clock = clock}, .update = update});
      toy::Bowl bowl;
      const auto rule = make_update_rule(update);
      for (std::uint64_t t = 0; t < 60; ++t) {
        rule->apply(bowl.parameters.values(), toy::bowl_gradient(bowl.values(), 0, t), 0.01F);
      }
      EXPECT_EQ(run.values, bowl.values()) << update << ", " << to_string(clock);
    }
  }
}

// The parameters that the synchronous server gives for the same gradients.
std::vector<float> synchronous(int workers, std::uint64_t steps, const std::string& compressor,
                               const std::string& attack = "none") {
  const TopologyPlan plan({.kind = TopologyKind::server, .workers = workers},
                          *make_compressor(compressor));
  std::vector<float> values;
  run_workers({.workers = workers}, [&](Worker& me) {
    toy::Bowl bowl;
    const auto rule = make_update_rule("sgd:momentum=0.9");
    DistributedOptimizer optimizer(me, bowl.parameters, *rule, make_compressor(compressor),
                                   plan.join(me), {.seed = 3, .attack = parse_attack(attack)});
    for (std::uint64_t t = 0; t < steps; ++t) {
      const auto g = toy::bowl_gradient(bowl.values(), me.rank(), t);
      optimizer.zero_grad();
      bowl.a.backward(Tensor::from({6, 15}, std::span(g).first(90)));
      bowl.b.backward(Tensor::from({10}, std::span(g).subspan(90)));
      optimizer.step(0.01F);
    }
    if (me.rank() == 0) values = bowl.values();
  });
  return values;
}

TEST(AsyncRun, WithoutStalenessItIsTheSynchronousServerToTheBit) {
  int tested = 0;
  std::vector<std::string> specs = {"topk:ratio=0.05,scope=model+ef", "vote:beta=0.9",
                                    "sign+doublesqueeze", "topk:ratio=0.1+sign+ef"};
  for (const auto& entry : compressor_registry()) specs.emplace_back(entry.example);
  for (const auto& spec : specs) {
    const auto traits = make_compressor(spec)->traits(0);
    if (!traits.self_contained || traits.phases > 1) {
      EXPECT_THROW(simulate(4, 1, "constant", spec), UsageError) << spec;
      continue;
    }
    ++tested;
    for (const int workers : {1, 4, 5}) {
      const auto reference = synchronous(workers, 30, spec);
      for (const auto clock : {AsyncClock::virtual_time, AsyncClock::real_time}) {
        const auto run = toy::run({.options = {.workers = workers,
                                               .updates = 30,
                                               .seed = 3,
                                               .compressor = spec,
                                               .bound = 0,
                                               .clock = clock},
                                   .update = "sgd:momentum=0.9"});
        EXPECT_EQ(run.values, reference) << spec << ", " << workers << ", " << to_string(clock);
        EXPECT_EQ(run.result.staleness.most(), 0U);
        EXPECT_EQ(run.applied.size(), 30U * static_cast<std::size_t>(workers));
      }
    }
  }
  EXPECT_GE(tested, 25);
}

TEST(AsyncRun, WithoutStalenessAnAttackIsTheSynchronousOneToTheBit) {
  for (const auto* attack : {"sign-flip:workers=3", "random:workers=2", "zero", "scale:factor=-7",
                             "stale:steps=3", "collude:workers=2", "sign-flip:at=5"}) {
    const auto reference = synchronous(4, 30, "topk:ratio=0.1+ef", attack);
    EXPECT_NE(reference, synchronous(4, 30, "topk:ratio=0.1+ef")) << attack;
    for (const auto clock : {AsyncClock::virtual_time, AsyncClock::real_time}) {
      const auto run = toy::run({.options = {.workers = 4,
                                             .updates = 30,
                                             .seed = 3,
                                             .compressor = "topk:ratio=0.1+ef",
                                             .bound = 0,
                                             .attack = parse_attack(attack),
                                             .clock = clock},
                                 .update = "sgd:momentum=0.9"});
      EXPECT_EQ(run.values, reference) << attack << ", " << to_string(clock);
    }
  }
}

// x - lr · (sum of all workers' residuals) equals the model after the same gradients without
// compression.
TEST(AsyncRun, WithErrorFeedbackFollowsTheDenseStaleRecursion) {
  for (const char* spec : {"topk:ratio=0.1+ef", "randomk:ratio=0.1+ef", "sign+ef"}) {
    constexpr int kWorkers = 4;
    const AsyncOptions options{.workers = kWorkers, .compressor = spec};
    toy::Bowl bowl;
    const auto update = make_update_rule("sgd");
    const AsyncRun run{
        .parameters = bowl.parameters,
        .update = *update,
        .make_learner = [](int worker) { return std::make_unique<toy::BowlLearner>(worker); },
        .rate = [](std::uint64_t) { return 0.02F; }};
    AsyncServer server = make_server(options, run);
    std::vector<AsyncWorker> workers;
    std::vector<std::vector<float>> held(kWorkers, bowl.values());
    for (int w = 0; w < kWorkers; ++w) {
      workers.emplace_back(options, run, w);
      server.pull(w);
    }
    std::vector<double> dense(100, 1.0);
    Packet up;
    Philox order(4, {.purpose = Purpose::test});
    for (int t = 0; t < 200; ++t) {
      const int w = static_cast<int>(order.below(kWorkers));
      auto& worker = workers[w];
      const auto g = toy::bowl_gradient(held[w], w, worker.step());
      for (std::size_t i = 0; i < dense.size(); ++i) dense[i] -= 0.02F * g[i];
      worker.compute(held[w]);
      worker.encode(0, up);
      server.push(w, up, 0.02F);
      EXPECT_EQ(std::vector(server.released().begin(), server.released().end()), std::vector{w});
      server.pull(w);
      held[w] = bowl.values();
    }
    const auto x = bowl.values();
    std::vector<double> shifted(x.begin(), x.end());
    double left = 0;
    for (auto& worker : workers) {
      const auto residual = residual_of(worker.compressor());
      for (std::size_t i = 0; i < shifted.size(); ++i) {
        shifted[i] -= 0.02F * residual[i];
        left += std::abs(residual[i]);
      }
    }
    EXPECT_GT(left, 1) << spec;
    for (std::size_t i = 0; i < shifted.size(); ++i)
      EXPECT_NEAR(shifted[i], dense[i], 2e-5) << spec;
  }
}

TEST(AsyncRun, CountsEveryPacketWithItsHeader) {
  const auto run = simulate(3, 50, "exponential", "topk:k=2");
  std::uint64_t pushes = 0, up = 0, down = 0;
  for (const auto& traffic : run.result.traffic) {
    pushes += traffic.pushes;
    up += traffic.bytes_up;
    down += traffic.bytes_down;
  }
  EXPECT_EQ(pushes, 50U);
  EXPECT_EQ(up, 50U * (32 + 2 * 2 * 8));  // two entries of each of two tensors
  EXPECT_EQ(down, (50U + 3) * (32 + 8 + 4 * 100));
}

TEST(AsyncRun, SparsePullsChangeBytesAndNothingElse) {
  for (const auto* rule : {"vanilla", "k_async:k=2"}) {
    const auto run = [&](bool sparse) {
      return toy::run({.options = {.workers = 4,
                                   .updates = 200,
                                   .compressor = "topk:k=2+ef",
                                   .rule = rule,
                                   .sparse_pulls = sparse}});
    };
    const auto dense = run(false), sparse = run(true);
    EXPECT_EQ(sparse.values, dense.values);
    for (std::size_t w = 0; w < 4; ++w) {
      EXPECT_LT(sparse.result.traffic[w].bytes_down, dense.result.traffic[w].bytes_down / 2);
    }
  }
}

// ---- errors -------------------------------------------------------------------------------------

struct BrokenLearner final : toy::BowlLearner {
  using BowlLearner::BowlLearner;
  Result gradient(std::span<const float> x) override {
    const auto result = BowlLearner::gradient(x);
    if (worker_ == 1 && step_ == 3) result.gradient[95] = NAN;
    return result;
  }
};

TEST(AsyncRun, AGradientThatIsNotFiniteEndsItOrIsZero) {
  for (const auto clock : {AsyncClock::virtual_time, AsyncClock::real_time}) {
    toy::AsyncSetting setting{
        // Without the bound, one thread might make all updates before the other computes its third
        // gradient.
        .options = {.workers = 2, .updates = 50, .bound = 1, .clock = clock},
        .make_learner = [](int worker) { return std::make_unique<BrokenLearner>(worker); }};
    try {
      toy::run(setting);
      ADD_FAILURE();
    } catch (const NonFiniteGradient& error) {
      EXPECT_NE(std::string(error.what())
                    .find("got 1 infinite or NaN values on worker 1 at its step 2, the first in b"),
                std::string::npos)
          << error.what();
    }
    setting.options.non_finite = NonFinite::zero;
    for (const float value : toy::run(setting).values) EXPECT_TRUE(std::isfinite(value));
  }
}

TEST(AsyncOptions, RefusesWhatCannotWork) {
  const auto update = make_update_rule("sgd"), momentum = make_update_rule("sgd:momentum=0.9");
  const auto refused = [&](const AsyncOptions& options, const std::string& text,
                           const UpdateRule& rule) {
    try {
      check_async(options, rule);
      ADD_FAILURE() << text;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
    }
  };
  const auto real = AsyncClock::real_time;
  refused({.workers = 0}, "1 to 65534", *update);
  refused({.compressor = "powersgd"}, "its packets cannot be applied alone", *update);
  refused({.compressor = "topk+ef21"}, "its packets cannot be applied alone", *update);
  refused({.compressor = "sign+ef:target=averaged"}, "applied alone", *update);
  refused({.rule = "vanila"}, "did you mean vanilla", *update);
  refused({.workers = 4, .rule = "softsync:n=5"}, "from 1 to 4", *update);
  refused({.workers = 4, .rule = "backup:spare=4"}, "from 0 to 3", *update);
  refused({.workers = 4, .rule = "dc_asgd+softsync"}, "a misplaced or repeated softsync", *update);
  refused({.workers = 4, .rule = "hogwild+dc_asgd", .clock = real}, "no server", *update);
  refused({.workers = 4, .rule = "hogwild"}, "real clock", *update);
  refused({.workers = 4, .rule = "hogwild", .clock = real}, "expected the optimizer sgd",
          *momentum);
  refused({.workers = 4, .rule = "k_async:k=2", .bound = 1}, "applies each push by itself",
          *update);
  refused({.workers = 4, .rule = "dc_asgd", .bound = 0}, "no push is stale; got dc_asgd", *update);
  refused({.non_finite = NonFinite::skip_step}, "abort or zero", *update);
  refused({.workers = 2, .attack = parse_attack("zero:workers=3")}, "at most 2 attackers", *update);
  refused({.attack = parse_attack("bit-flip")}, "a simulation sends no packets", *update);
  refused({.rule = "hogwild", .attack = parse_attack("delay"), .clock = real},
          "hogwild sends no packets", *update);
  refused({.attack = parse_attack("drop"), .clock = real}, "until the deadline", *update);
  refused({.durations = "gamma"}, "durations 'gamma' is not known", *update);
  refused({.durations = "pareto:alpha=1"}, "alpha", *update);
  refused({.speeds = {1, 0}}, "above 0", *update);
  refused({.delays = "constant:s=-1"}, "s must be", *update);
  refused({.bound = 1, .delays = "uniform"}, "replace the workers' durations", *update);
  refused({.delays = "uniform", .network = Network{}}, "no modelled network", *update);
  refused({.network = parse_network("card=2:1Gbps")}, "a worker from 0 to 1", *update);
  refused({.durations = "measured", .compute = 0.005}, "a mean of 0.005 s", *update);
  refused({.clock = real, .network = Network{}}, "expected the virtual clock", *update);
  refused({.clock = real, .durations = "constant"}, "virtual clock", *update);
  EXPECT_THROW(parse_clock("wall"), UsageError);
  check_async({.workers = 4, .rule = "softsync:n=2+dc_asgd"}, *momentum);
}

}  // namespace
}  // namespace terse
