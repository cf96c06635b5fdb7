// What looks into a run changes nothing, and finds what it should.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "examples/run/law_probe.hpp"
#include "examples/run/training.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/inspect/json.hpp"
#include "tersegrad/nn/models.hpp"
#include "tersegrad/optim/decorators/decorator.hpp"

namespace terse::run {
namespace {

RunConfig small_run(const std::string& compressor) {
  RunConfig c;
  c.model = "mlp:hidden=20";
  c.data = "synthetic:size=14,train=1000,test=100";
  c.workers = 3;
  c.compressor = compressor;
  c.batch = 5;
  c.steps = 12;
  c.eval_every = 0;
  return c;
}

struct Observed {
  RunResult result;
  std::vector<HealthReport> health;
};

Observed run(RunConfig config) {
  static const Dataset data = load_dataset("synthetic:size=14,train=1000,test=100", 3);
  complete(config);
  Observed observed;
  observed.result = train(
      config, data, {.on_health = [&](const HealthReport& h) { observed.health.push_back(h); }});
  return observed;
}

// The report without the time that it took.
std::string text_of(const HealthReport& report) {
  auto json = to_json(report);
  json.erase("time");
  return json_text(json);
}

using Change = std::function<void(RunConfig&)>;

void expect_no_change(const RunConfig& plain, const std::string& what) {
  auto probed = plain;
  probed.measure = "health:every=3";
  const auto without = run(plain).result;
  const auto with = run(probed);
  EXPECT_EQ(with.result.model_hash, without.model_hash) << what;
  EXPECT_EQ(with.result.state_hash, without.state_hash) << what;
  EXPECT_EQ(with.result.bytes_sent, without.bytes_sent) << what;
  EXPECT_EQ(with.result.message_bytes, without.message_bytes) << what;
  EXPECT_EQ(with.result.virtual_seconds, without.virtual_seconds) << what;
  ASSERT_FALSE(with.health.empty()) << what;
  const auto again = run(probed).health;
  ASSERT_EQ(again.size(), with.health.size()) << what;
  for (std::size_t i = 0; i < again.size(); ++i) {
    EXPECT_EQ(text_of(again[i]), text_of(with.health[i])) << what;
  }
}

TEST(HealthProbe, ChangesNoBitOfARunWithAnyMethod) {
  for (const auto& entry : compressor_registry()) {
    expect_no_change(small_run(std::string(entry.example)), std::string(entry.example));
  }
}

TEST(HealthProbe, ChangesNoBitOverAnyTopology) {
  const std::vector<std::pair<std::string, Change>> changes{
      {"local", [](RunConfig& c) { c.topology = "local"; }},
      {"server", [](RunConfig& c) { c.topology = "server"; }},
      {"two servers", [](RunConfig& c) { c.topology = "server", c.servers = 2; }},
      {"tree", [](RunConfig& c) { c.all_reduce = "tree"; }},
      {"buckets", [](RunConfig& c) { c.bucket_mb = 0.005; }},
      {"local steps", [](RunConfig& c) { c.local_steps = 4; }},
      {"one worker", [](RunConfig& c) { c.workers = 1; }},
      {"network", [](RunConfig& c) { c.network = "1gbe", c.compute = "1ms"; }}};
  for (const auto& [name, change] : changes) {
    for (const auto* compressor : {"none", "topk:ratio=0.1+ef", "sign+ef", "powersgd+ef"}) {
      auto config = small_run(compressor);
      change(config);
      expect_no_change(config, name + " " + compressor);
    }
  }
}

TEST(HealthProbe, ReportsWhenItIsDue) {
  const auto steps_of = [](const std::string& measure, const Change& change) {
    auto config = small_run("topk:ratio=0.1+ef");
    config.measure = measure;
    change(config);
    std::vector<std::int64_t> steps;
    for (const auto& report : run(config).health) steps.push_back(report.step);
    return steps;
  };
  const auto same = [](RunConfig&) {};
  using Steps = std::vector<std::int64_t>;
  EXPECT_EQ(steps_of("health:every=5", same), (Steps{5, 10}));
  EXPECT_EQ(steps_of("health:count=3", same), (Steps{4, 8, 12}));
  EXPECT_EQ(steps_of("health:count=100", same).size(), 12U);
  EXPECT_EQ(steps_of("health", same), Steps{});  // every 100 steps
  EXPECT_EQ(steps_of("health:every=5", [](RunConfig& c) { c.local_steps = 4; }), (Steps{8, 12}));
}

TEST(HealthProbe, OfTheUncompressedGradientIsPerfect) {
  auto config = small_run("none");
  config.measure = "health:every=4";
  for (const auto& report : run(config).health) {
    EXPECT_EQ(report.declared_contraction, 1);
    for (const auto& tensor : report.tensors) {
      EXPECT_EQ(tensor.contraction, 1);
      EXPECT_FALSE(tensor.residual_ratio);
      EXPECT_NEAR(tensor.cosine.value(), 1, 1e-6);
    }
  }
}

// Top-k of one worker keeps what mass_of_largest says, and its residual is what is missing.
TEST(HealthProbe, OfTopKAgreesWithItsMass) {
  auto config = small_run("topk:ratio=0.1");
  config.workers = 1;
  config.measure = "health:every=4";
  for (const auto& report : run(config).health) {
    for (std::size_t t = 1; t < report.tensors.size(); ++t) {
      const auto& tensor = report.tensors[t];
      if (tensor.size < 1000) continue;
      EXPECT_NEAR(tensor.contraction.value(), tensor.topk_mass[5], 0.01) << tensor.name;
      EXPECT_NEAR(tensor.cosine.value(), std::sqrt(tensor.contraction.value()), 1e-4);
      EXPECT_GE(tensor.contraction.value(), report.declared_contraction.value());
      std::int64_t sent = 0;
      for (const auto count : tensor.sent) sent += count;
      EXPECT_EQ(sent, tensor.size / 10) << tensor.name;
    }
  }
}

TEST(HealthProbe, CountsTheMarginsOfAllCoordinates) {
  auto config = small_run("vote");
  config.measure = "health:every=6";
  for (const auto& report : run(config).health) {
    ASSERT_EQ(report.margins.size(), 4U);
    EXPECT_EQ(report.margins[0] + report.margins[2], 0) << "three votes";
    EXPECT_EQ(report.margins[1] + report.margins[3], report.tensors.front().size);
    EXPECT_FALSE(report.tensors.front().contraction);
  }
}

// ---- conservation laws --------------------------------------------------------------------------

TEST(LawProbe, HoldsForEveryMethodThatDeclaresALaw) {
  for (const auto* compressor :
       {"topk:ratio=0.1+ef", "topk:ratio=0.1+ef:target=averaged", "topk:ratio=0.1+ef:lr=inside",
        "sign+ef", "powersgd+ef", "powersgd+ef:target=averaged", "qsgd:bits=8+ef", "vote+ef:unsafe",
        "topk:ratio=0.1+sign+ef", "dgc:ratio=0.1", "dgc:ratio=0.1,nesterov,clip=1,masking=false",
        "sign+doublesqueeze", "topk:ratio=0.1+doublesqueeze", "sign+ef+momentum",
        "powersgd+ef+warmup:steps=3", "onebit_adam:steps=3"}) {
    for (const auto* topology : {"ring", "server", "local"}) {
      auto config = small_run(compressor);
      config.topology = topology;
      config.check_laws = "every=1";
      if (std::string_view(compressor).starts_with("onebit_adam")) config.optimizer = "adam";
      EXPECT_NO_THROW(run(config)) << compressor << " over " << topology;
    }
  }
}

TEST(LawProbe, HoldsWithBucketsAndLocalSteps) {
  auto config = small_run("powersgd+ef");
  config.check_laws = "every=1";
  config.bucket_mb = 0.005;
  EXPECT_NO_THROW(run(config));
  config.bucket_mb.reset();
  config.local_steps = 4;
  EXPECT_NO_THROW(run(config));
}

TEST(LawProbe, IsRefusedWithoutALaw) {
  for (const auto* compressor : {"none", "topk", "vote:beta=0.9", "topk+ef21"}) {
    auto config = small_run(compressor);
    config.check_laws = "every=2";
    EXPECT_THROW(complete(config), UsageError) << compressor;
  }
}

// Error feedback that loses a part of one tensor in step 2.
class Forgetful final : public Decorator, public ConservingStage {
 public:
  Forgetful() : Decorator(make_compressor("none")) {}
  std::string spec() const override { return "forgetful"; }
  bool uncompressed() const override { return false; }
  void add_up(const Round&, std::span<const GradView> grads,
              std::span<const GradView> total) override {
    for (std::size_t t = 0; t < grads.size(); ++t) {
      std::ranges::copy(grads[t].data, total[t].data.begin());
    }
  }
  void copy_kept(std::span<const GradView> kept) override {
    for (const auto& view : kept) std::ranges::fill(view.data, 0.0F);
  }
  void reconstruct(const Round& round, const Packet& own,
                   std::span<const GradView> out) const override {
    inner_->reconstruct(round, own, out);
    if (round.step == 2) out[1].data[3] += 0.01F;
  }
};

TEST(LawProbe, NamesTensorStepAndDifferenceOfABreak) {
  std::vector<float> values(8, 0.5F);
  const std::vector<ParameterInfo> tensors{{.id = 0,
                                            .name = "w",
                                            .shape = {4},
                                            .offset = 0,
                                            .numel = 4,
                                            .rows = 4,
                                            .cols = 1,
                                            .kernel = 1},
                                           {.id = 1,
                                            .name = "b",
                                            .shape = {4},
                                            .offset = 4,
                                            .numel = 4,
                                            .rows = 4,
                                            .cols = 1,
                                            .kernel = 1}};
  const std::vector<GradView> grads{
      {.id = 0, .rows = 4, .cols = 1, .data = std::span(values).first(4)},
      {.id = 1, .rows = 4, .cols = 1, .data = std::span(values).last(4)}};
  run_workers({.workers = 1}, [&](Worker& me) {
    AllWorkers all_workers(me);
    LawProbe probe(ProbePlan(1, 0, 4, {}), me, all_workers, tensors);
    const auto compressor = probe.around_stage(std::make_unique<Forgetful>(), true);
    for (std::uint64_t step = 0; step < 3; ++step) {
      const auto at = static_cast<std::int64_t>(step);
      probe.begin_step(at);
      Packet up;
      compressor->encode({.step = step, .count = 8}, grads, up);
      if (step < 2) {
        EXPECT_NO_THROW(probe.end_step(at));
        continue;
      }
      try {
        probe.end_step(at);
        ADD_FAILURE() << "the break was not found";
      } catch (const Error& e) {
        const std::string text = e.what();
        for (const auto* part : {"forgetful", "worker 0", "step 3", "tensor b", "0.01"}) {
          EXPECT_NE(text.find(part), std::string::npos) << part << " in: " << text;
        }
      }
    }
  });
}

}  // namespace
}  // namespace terse::run
