// A run that is saved, loaded into new objects and continued is the same run, to the bit: for every
// compressor, decorator, update rule and server rule, over every topology that accepts it. The
// whole state at the end is compared, so state that a checkpoint lacks makes a test fail.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "examples/run/checkpoint.hpp"
#include "examples/run/trained_model.hpp"
#include "examples/run/training.hpp"
#include "tersegrad/comm/async/server_rule.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace terse::run {
namespace {

constexpr std::int64_t kHalf = 3;

class Resume : public testing::Test {
 protected:
  static void SetUpTestSuite() { std::filesystem::create_directories(folder()); }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder()); }
  static std::filesystem::path folder() {
    return std::filesystem::temp_directory_path() / ("terse_resume_" + std::to_string(getpid()));
  }

  static const Dataset& data() {
    static const Dataset images = load_dataset("synthetic:size=8,train=60,test=20", 3);
    return images;
  }

  static RunConfig config_for(std::int64_t workers) {
    RunConfig c;
    c.model = "mlp:hidden=8";
    c.data = "synthetic:size=8,train=60,test=20";
    c.workers = workers;
    c.batch = 4;
    c.eval_every = 0;
    c.lr = 0.05;
    c.schedule = "constant";
    return c;
  }

  struct Outcome {
    RunResult result;
    std::filesystem::path checkpoint;  // of the end
  };
  // Runs up to `steps` steps, and writes a checkpoint at the end.
  static Outcome run(RunConfig config, std::int64_t steps, const std::string& name,
                     const Checkpoint* from = nullptr) {
    config.steps = steps;
    Outcome outcome{.result = {}, .checkpoint = folder() / name};
    const Listener listener{.on_checkpoint = [&](const RunState& state) {
      write_file(outcome.checkpoint, [&](std::ostream& out) {
        write_checkpoint(out, state, {config, fingerprint(data()), task_text(data())});
      });
    }};
    outcome.result = train(config, data(), listener, nullptr, from);
    return outcome;
  }

  static nlohmann::json lasting(const RunResult& result, RunConfig config) {
    config.steps = 2 * kHalf;
    auto json = to_json(result, config);
    for (const char* time : {"seconds", "samples_per_second", "milliseconds_per_step",
                             "hidden_milliseconds_per_step", "samples_per_virtual_second"}) {
      json.erase(time);
    }
    return json;
  }

  // Expects that a run of 2 n steps and one of n and n steps are equal.
  static void expect_resumes(RunConfig config) {
    complete(config);
    const auto whole = run(config, 2 * kHalf, "whole");
    const auto half = run(config, kHalf, "half");
    const Checkpoint saved(half.checkpoint);
    const auto rest = run(config, 2 * kHalf, "rest", &saved);
    EXPECT_EQ(lasting(whole.result, config), lasting(rest.result, config));
    expect_same_state(Checkpoint(whole.checkpoint), Checkpoint(rest.checkpoint));
  }

  static void expect_same_state(const Checkpoint& a, const Checkpoint& b) {
    const auto names = [](const Checkpoint& checkpoint) {
      std::vector<std::string> all;
      for (const auto& [name, array] : checkpoint.arrays().arrays()) all.push_back(name);
      return all;
    };
    ASSERT_EQ(names(a), names(b));
    for (const auto& [name, array] : a.arrays().arrays()) {
      if (name.find("/time/") != std::string::npos) continue;  // measured seconds
      // One evaluation is made at the end of the first half.
      if (name.starts_with("run/evaluations/")) continue;
      EXPECT_TRUE(std::ranges::equal(array.data, b.arrays().arrays().at(name).data)) << name;
    }
  }

  // The same for 1 and 3 workers; returns how many runs the configuration did not refuse.
  static int count_resumes(const std::string& what, const std::function<void(RunConfig&)>& change) {
    int accepted = 0;
    for (const std::int64_t workers : {1, 3}) {
      SCOPED_TRACE(what + ", workers " + std::to_string(workers));
      auto config = config_for(workers);
      change(config);
      try {
        auto checked = config;
        complete(checked);
      } catch (const UsageError&) {
        continue;  // the topology does not accept it
      }
      expect_resumes(config);
      ++accepted;
    }
    return accepted;
  }
};

TEST_F(Resume, EveryCompressorAndDecoratorOverEveryTopology) {
  std::vector<std::string> specs;
  for (const auto& entry : compressor_registry()) specs.emplace_back(entry.example);
  for (const char* more :
       {"sign+ef", "none+momentum+momentum", "powersgd:rank=2,alternate+ef",
        "topk:ratio=0.05+ef:target=averaged", "topk:ratio=0.1+ef+warmup:steps=4",
        "sign+doublesqueeze", "qsgd:bits=2+ef:unsafe", "dgc:ratio=0.1,warmup=1"}) {
    specs.emplace_back(more);
  }
  const std::map<std::string, std::function<void(RunConfig&)>> topologies = {
      {"local", [](RunConfig& c) { c.topology = "local"; }},
      {"ring", [](RunConfig& c) { c.topology = "ring"; }},
      {"tree", [](RunConfig& c) { c.all_reduce = "tree"; }},
      {"server", [](RunConfig& c) { c.topology = "server"; }},
      {"two shards",
       [](RunConfig& c) {
         c.topology = "server";
         c.servers = std::min<std::int64_t>(2, c.workers);
       }},
      {"buckets", [](RunConfig& c) { c.bucket_mb = 0.001; }},
      {"local steps", [](RunConfig& c) { c.local_steps = 2; }},
      {"a modelled network",
       [](RunConfig& c) {
         c.network = "1gbe,jitter=50us,loss=0.01";
         c.compute = "1ms";
       }},
      {"async", [](RunConfig& c) { c.topology = "async"; }}};
  std::map<std::string, int> accepted;
  for (const auto& spec : specs) {
    for (const auto& [name, choose] : topologies) {
      accepted[name] += count_resumes(spec + " over " + name, [&, choose = choose](RunConfig& c) {
        c.compressor = spec;
        choose(c);
      });
    }
  }
  for (const auto& [name, runs] : accepted) {
    RecordProperty("resumed over " + name, runs);
    EXPECT_GE(runs, 20) << name;
  }
}

TEST_F(Resume, EveryUpdateRule) {
  int accepted = 0;
  for (const auto& entry : update_rule_registry()) {
    for (const char* outer : {"", "outer "}) {
      accepted += count_resumes(std::string(outer) + std::string(entry.example), [&](RunConfig& c) {
        (*outer == 0 ? c.optimizer : c.outer) = entry.example;
        c.local_steps = *outer == 0 ? 0 : 2;
      });
    }
  }
  EXPECT_GE(accepted, 4 * std::ssize(update_rule_registry()) - 8);
}

TEST_F(Resume, EveryServerRule) {
  int accepted = 0;
  for (const auto& entry : server_rule_registry()) {
    accepted += count_resumes(std::string(entry.example), [&](RunConfig& c) {
      c.topology = "async";
      c.async.server_rule = entry.example;
    });
  }
  EXPECT_GE(accepted, std::ssize(server_rule_registry()));
  for (const char* durations : {"constant:jitter=0.5", "erlang:k=3", "pareto"}) {
    count_resumes(durations, [&](RunConfig& c) {
      c.topology = "async";
      c.async.durations = durations;
      c.async.speeds = "1,0.5";
      c.async.staleness = 2;
    });
  }
  for (const char* delays :
       {"constant:s=2", "uniform:most=3", "geometric:mean=2", "poisson:mean=2"}) {
    count_resumes(delays, [&](RunConfig& c) {
      c.topology = "async";
      c.async.delays = delays;
      c.async.server_rule = "dc_asgd_adaptive";
    });
  }
  count_resumes("a network and sparse pulls", [](RunConfig& c) {
    c.topology = "async";
    c.network = "1gbe,jitter=50us,loss=0.01";
    c.compute = "1ms";
    c.async.sparse_pulls = true;
    c.compressor = "topk:ratio=0.05+ef";
  });
}

TEST_F(Resume, EveryAttackAndTheWorkersThatRemain) {
  for (const char* attack : {"sign-flip", "random", "stale:steps=2", "collude", "replay:rate=0.5",
                             "delay:ms=1,rate=0.5"}) {
    EXPECT_GE(count_resumes(attack, [&](RunConfig& c) { c.attack = attack; }), 1) << attack;
  }
  for (const char* network : {"", "1gbe,jitter=50us"}) {
    EXPECT_EQ(count_resumes("a worker dies",
                            [&](RunConfig& c) {
                              if (c.workers == 1) c.workers = 2;
                              c.attack = "die:at=1";
                              c.on_failure = "continue";
                              c.compressor = "topk:ratio=0.05+ef";
                              if (*network == 0) return;
                              c.network = network;
                              c.compute = "1ms";
                            }),
              2);
  }
}

// What was found wrong in a checkpoint, for errors that users may see.
TEST_F(Resume, WrongCheckpointsAreClearErrors) {
  auto config = config_for(2);
  complete(config);
  const auto half = run(config, kHalf, "sound");
  const auto expect = [&](const std::string& text, const std::function<void()>& job) {
    try {
      job();
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
    }
  };
  auto bytes = read_file(half.checkpoint);
  const auto write = [&](const std::vector<std::byte>& content) {
    std::ofstream out(folder() / "damaged", std::ios::binary);
    out.write(reinterpret_cast<const char*>(content.data()),
              static_cast<std::streamsize>(content.size()));
  };
  auto damaged = bytes;
  damaged[damaged.size() - 9] ^= std::byte{4};
  write(damaged);
  expect("the file is damaged", [&] { Checkpoint{folder() / "damaged"}; });
  write({bytes.begin(), bytes.begin() + 1000});
  expect("safetensors file", [&] { Checkpoint{folder() / "damaged"}; });

  const Checkpoint saved(half.checkpoint);
  expect("training and", [&] { saved.check_data({1, 2, 3}); });
  auto other = config;
  other.compressor = "topk+ef";
  expect("expected an item", [&] { run(other, 2 * kHalf, "other", &saved); });
  other = config;
  other.workers = 3;
  expect("worker", [&] { run(other, 2 * kHalf, "other", &saved); });
  expect("--steps", [&] { run(config, kHalf - 1, "other", &saved); });
}

}  // namespace
}  // namespace terse::run
