// Properties of whole runs, for every compressor and topology.
#include "examples/run/training.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tersegrad/comm/training/distributed_optimizer.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/ops.hpp"
#include "tersegrad/core/parameters.hpp"
#include "tersegrad/data/loader.hpp"
#include "tersegrad/data/partition.hpp"
#include "tersegrad/nn/models.hpp"
#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace terse::run {
namespace {

const Dataset& small_images() {
  static const Dataset data = load_dataset("synthetic:size=14,train=1000,test=100", 3);
  return data;
}

RunConfig config_for(const std::string& compressor, const std::string& topology,
                     std::int64_t workers, std::int64_t servers = 1) {
  RunConfig c;
  c.model = "mlp:hidden=20";
  c.data = "synthetic:size=14,train=1000,test=100";
  c.workers = workers;
  c.topology = topology;
  c.servers = servers;
  c.compressor = compressor;
  c.batch = 5;
  c.steps = 20;
  c.eval_every = 0;
  c.schedule = "constant";
  complete(c);
  return c;
}

// The registry's example of every compressor and every decorator, and further options.
std::vector<std::string> specs() {
  std::vector<std::string> list;
  for (const auto& entry : compressor_registry()) list.emplace_back(entry.example);
  for (const char* more : {"sign+ef", "vote:tie=zero", "vote:zero=zero,tie=plus", "randomk:k=3+ef",
                           "powersgd:rank=2+ef", "topk:ratio=0.05,scope=model+ef",
                           "qsgd:bits=2,code=elias", "terngrad:shared+ef:unsafe"}) {
    list.emplace_back(more);
  }
  return list;
}

class EveryTopology : public testing::TestWithParam<std::string> {};

TEST_P(EveryTopology, GivesTheSameBits) {
  for (const std::int64_t workers : {1, 2, 3, 4, 7}) {
    std::map<std::string, std::uint64_t> models, states;
    const auto add = [&](const std::string& topology, std::int64_t servers) {
      const auto result =
          train(config_for(GetParam(), topology, workers, servers), small_images(), {});
      EXPECT_EQ(result.steps, 20);
      models[topology + " " + std::to_string(servers)] = result.model_hash;
      states[topology + " " + std::to_string(servers)] = result.state_hash;
    };
    add("local", 1);
    add("ring", 1);
    add("server", 1);
    if (workers >= 3) add("server", 3);
    for (const auto& [name, hash] : models) {
      EXPECT_EQ(hash, models.begin()->second) << workers << " workers, " << name;
    }
    // doublesqueeze keeps a residual where packets are combined, which is on different workers in
    // each topology.
    if (GetParam().find("doublesqueeze") != std::string::npos) continue;
    for (const auto& [name, hash] : states) {
      EXPECT_EQ(hash, states.begin()->second) << workers << " workers, " << name;
    }
  }
}

// Packets that can be decoded alone can be aggregated by any rule, whichever compressor wrote them.
TEST_P(EveryTopology, GivesTheSameBitsForAMedian) {
  const auto traits = make_compressor(GetParam())->traits(0);
  const bool alone = traits.self_contained && traits.phases == 1;
  std::map<std::string, std::uint64_t> models;
  for (const auto* topology : {"local", "server", "ring"}) {
    auto config = config_for(GetParam(), topology, 4);
    config.aggregate = "median";
    if (!alone || (topology == std::string("ring") && traits.linear)) {
      EXPECT_THROW(complete(config), UsageError) << topology;
      continue;
    }
    complete(config);
    models[topology] = train(config, small_images(), {}).model_hash;
  }
  for (const auto& [name, hash] : models) EXPECT_EQ(hash, models.begin()->second) << name;
}

INSTANTIATE_TEST_SUITE_P(Compressors, EveryTopology, testing::ValuesIn(specs()),
                         [](const auto& c) { return "spec_" + std::to_string(c.index); });

TEST(Warnings, AnAlphaBeyondTheBoundIsNamedOnce) {
  const auto printed = [](const std::string& compressor) {
    testing::internal::CaptureStderr();
    train(config_for(compressor, "ring", 3), small_images(), {});
    return testing::internal::GetCapturedStderr();
  };
  const auto text = printed("natural+diana:alpha=0.9");
  EXPECT_EQ(text.rfind("warning: diana: alpha = 0.9 exceeds 1 / (1 + omega) = 0.889,", 0), 0U)
      << text;
  EXPECT_EQ(std::ranges::count(text, '\n'), 1) << text;
  EXPECT_EQ(printed("diana"), "");
}

// The parameters after 20 steps at learning rate 0.01, with batch 60 / workers on each.
std::vector<float> parameters_after(std::int64_t workers, AllReduce all_reduce = AllReduce::ring) {
  const auto& data = std::get<DatasetSplits>(small_images());
  std::vector<float> result;
  const auto plain = make_compressor("none");
  const TopologyPlan plan(
      {.kind = TopologyKind::ring, .workers = static_cast<int>(workers), .all_reduce = all_reduce},
      *plain);
  run_workers({.workers = static_cast<int>(workers)}, [&](Worker& me) {
    nn::Init init(1);
    const auto model = nn::make_model("lenet", {1, 14, 14, 10}, init);
    ParameterBuffer parameters(nn::parameters(*model));
    const auto rule = make_update_rule("sgd:momentum=0.9");
    DistributedOptimizer optimizer(me, parameters, *rule, make_compressor("none"), plan.join(me),
                                   {});
    Loader loader(
        data.train,
        make_partition("iid", data.train.labels,
                       {.worker = me.rank(), .workers = me.size(), .batch = 60 / workers}, 1));
    for (int step = 0; step < 20; ++step) {
      const Batch& batch = loader.next();
      optimizer.zero_grad();
      cross_entropy((*model)(Tensor::from({batch.size(), 1, 14, 14}, batch.images)), batch.labels)
          .backward();
      optimizer.step(0.01F);
    }
    if (me.rank() == 0) result.assign(parameters.values().begin(), parameters.values().end());
  });
  return result;
}

double relative_difference(std::span<const float> x, std::span<const float> y) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    difference += std::pow(static_cast<double>(y[i]) - x[i], 2);
    norm += std::pow(static_cast<double>(x[i]), 2);
  }
  return std::sqrt(difference / norm);
}

TEST(DataParallel, NWorkersWithBatchBOverNEqualOneWithBatchB) {
  const auto one = parameters_after(1);
  for (const std::int64_t workers : {2, 3, 4, 5}) {
    const double difference = relative_difference(one, parameters_after(workers));
    EXPECT_LT(difference, 1e-6) << workers << " workers";
    EXPECT_GT(difference, 0) << "the same bits: was the batch split at all?";
  }
}

TEST(DataParallel, EveryAllReduceTrainsTheSameModelButForRounding) {
  for (const std::int64_t workers : {3, 4, 5}) {
    const auto ring = parameters_after(workers);
    for (const auto kind : {AllReduce::tree, AllReduce::halving}) {
      const double difference = relative_difference(ring, parameters_after(workers, kind));
      EXPECT_LT(difference, 1e-6) << to_string(kind) << ", " << workers << " workers";
      EXPECT_GT(difference, 0) << "the same bits: was it the ring?";
    }
  }
}

TEST(Bytes, SentPerWorkerFollowTheFormulas) {
  const auto measure = [](const std::string& compressor, const std::string& topology,
                          std::int64_t workers, std::int64_t servers) {
    return train(config_for(compressor, topology, workers, servers), small_images(), {});
  };
  constexpr double header = 32, steps = 20;
  for (const std::int64_t workers : {2, 3, 4, 7}) {
    const auto w = static_cast<double>(workers);
    const double share = (w - 1) / w;
    // Ring all-reduce: 2 (W-1)/W · n bytes, and a header per message.
    for (const char* spec : {"none", "randomk:ratio=0.1+ef"}) {
      const auto r = measure(spec, "ring", workers, 1);
      EXPECT_NEAR(r.bytes_sent_per_worker,
                  steps * (2 * share * static_cast<double>(r.message_bytes) + 2 * (w - 1) * header),
                  1e-6)
          << spec;
      EXPECT_NEAR(r.payload_sent_per_worker,
                  steps * 2 * share * static_cast<double>(r.message_bytes), 1e-6)
          << spec;
    }
    {
      const auto r = measure("powersgd:rank=2+ef", "ring", workers, 1);  // two all-reduces
      EXPECT_NEAR(r.bytes_sent_per_worker,
                  steps * (2 * share * static_cast<double>(r.message_bytes) + 4 * (w - 1) * header),
                  1e-6);
    }
    // All-gather: (W-1) · up.
    for (const char* spec : {"sign+ef", "topk:ratio=0.05+ef"}) {
      const auto r = measure(spec, "ring", workers, 1);
      EXPECT_NEAR(r.bytes_sent_per_worker,
                  steps * (w - 1) * (static_cast<double>(r.message_bytes) + header), 1e-6)
          << spec;
    }
    // Slices: (W-1)/W · (up + down), with one bit in each direction.
    {
      const auto r = measure("vote", "ring", workers, 1);
      EXPECT_NEAR(r.bytes_sent_per_worker,
                  steps * (2 * share * static_cast<double>(r.message_bytes) + 2 * (w - 1) * header),
                  1e-6);
    }
    // A server with one shard: W-1 packets up and W-1 down packets, averaged over the workers.
    {
      const auto r = measure("none", "server", workers, 1);
      EXPECT_NEAR(r.bytes_sent_per_worker,
                  steps * 2 * share * (static_cast<double>(r.message_bytes) + header), 1e-6);
    }
    EXPECT_EQ(measure("none", "local", workers, 1).bytes_sent_per_worker, 0);
  }
}

TEST(Bytes, UncompressedIsWhatNoneSends) {
  for (const char* topology : {"ring", "server"}) {
    const auto none = train(config_for("none", topology, 3), small_images(), {});
    const auto vote = train(config_for("vote", topology, 3), small_images(), {});
    EXPECT_EQ(none.bytes_uncompressed, none.bytes_sent_per_worker);
    EXPECT_EQ(vote.bytes_uncompressed, none.bytes_sent_per_worker);
  }
}

TEST(Runs, RepeatBitForBitWhateverTheThreads) {
  for (const char* spec : {"none", "powersgd:rank=2+ef", "topk:ratio=0.05+ef", "vote:beta=0.9"}) {
    auto one = config_for(spec, "ring", 3);
    one.model = "lenet";
    one.threads = 1;
    auto two = one;
    two.threads = 2;
    std::vector<double> losses[2];
    std::uint64_t hashes[2];
    for (int i = 0; i < 2; ++i) {
      const auto r = train(i == 0 ? one : two, small_images(),
                           {.on_step = [&](const StepReport& s) { losses[i].push_back(s.loss); },
                            .on_evaluation = {}});
      hashes[i] = r.state_hash;
    }
    EXPECT_EQ(hashes[0], hashes[1]) << spec;
    EXPECT_EQ(losses[0], losses[1]) << spec;
    auto other = two;
    other.seed = 2;
    EXPECT_NE(train(other, small_images(), {}).state_hash, hashes[0]);
  }
}

// One model with running statistics, and one with dropout and recurrent state.
TEST(Measure, DensityChangesNoBitOfTheRun) {
  for (const auto& [model, source] :
       {std::pair{"resnet20", "synthetic:size=8,channels=3,train=60,test=20"},
        std::pair{"lstm:layers=1,hidden=8,dropout=0.5", "synthetic-text:length=1000,seq=5"}}) {
    RunConfig c;
    c.model = model;
    c.data = source;
    c.workers = 2;
    c.batch = 5;
    c.steps = 12;
    complete(c);
    const auto data = load_data(c);
    const auto plain = train(c, data, {});
    c.measure = "density";
    const auto measured = train(c, data, {});
    EXPECT_EQ(measured.state_hash, plain.state_hash) << model;
    EXPECT_EQ(measured.evaluations.back().loss, plain.evaluations.back().loss) << model;
    EXPECT_EQ(measured.bytes_sent, plain.bytes_sent);
    ASSERT_FALSE(measured.densities.empty());
    const auto& whole = measured.densities.back().parts.front();
    EXPECT_GT(whole.density_noise.value(), 0.01);
    EXPECT_LT(whole.density_noise.value(), 1);
    EXPECT_GT(whole.snr_mean, 0);
    EXPECT_NEAR(whole.below_mean, 0.5, 0.2);
  }
}

// ---- local steps --------------------------------------------------------------------------------

TEST(LocalSteps, SendAnExchangeEveryHSteps) {
  for (const char* topology : {"local", "ring", "server"}) {
    auto c = config_for("none", topology, 3);
    const auto all = train(c, small_images(), {});
    c.local_steps = 4;
    const auto r = train(c, small_images(), {});
    EXPECT_NEAR(4 * r.bytes_sent_per_worker, all.bytes_sent_per_worker, 1e-6) << topology;
    EXPECT_EQ(r.bytes_uncompressed, all.bytes_uncompressed);
    c.local_after = 12;  // 12 exchanges, and two for the last 8 steps
    EXPECT_NEAR(train(c, small_images(), {}).bytes_sent_per_worker,
                all.bytes_sent_per_worker * 14 / 20, 1e-6)
        << topology;
  }
}

TEST(LocalSteps, GiveTheSameBitsOverEveryTopology) {
  for (const char* compressor : {"none", "topk:ratio=0.1+ef", "powersgd:rank=2+ef"}) {
    std::map<std::string, std::uint64_t> hashes;
    for (const char* topology : {"local", "ring", "server"}) {
      auto c = config_for(compressor, topology, 3);
      c.local_steps = 3;
      c.local_after = 5;
      c.outer = "sgd:momentum=0.9,nesterov";
      hashes[topology] = train(c, small_images(), {}).state_hash;
    }
    EXPECT_EQ(hashes["ring"], hashes["local"]) << compressor;
    EXPECT_EQ(hashes["server"], hashes["local"]) << compressor;
  }
}

TEST(LocalSteps, LearnMoreFromTheSameBytes) {
  auto c = config_for("none", "ring", 4);
  c.steps = 25;
  const auto few = train(c, small_images(), {});
  c.steps = 200;
  c.local_steps = 8;
  const auto local = train(c, small_images(), {});
  EXPECT_EQ(local.bytes_sent, few.bytes_sent);
  EXPECT_GT(local.evaluations.back().accuracy, 0.8);
  EXPECT_LT(local.evaluations.back().loss, few.evaluations.back().loss);
}

// In the long run, DiLoCo's outer step is longer by a factor of 0.7 / (1 - 0.9).
TEST(LocalSteps, OuterMomentumGoesFurtherAtASmallRate) {
  auto c = config_for("none", "ring", 4);
  c.steps = 200;
  c.optimizer = "sgd";
  c.lr = 0.01;
  c.local_steps = 8;
  const auto mean = train(c, small_images(), {}).evaluations.back();
  c.outer = "sgd:momentum=0.9,nesterov";
  c.outer_lr = 0.7;
  const auto outer = train(c, small_images(), {}).evaluations.back();
  EXPECT_LT(outer.loss, 0.8 * mean.loss);
}

// The tests after the steps 50, 100 and 120 are between two averagings. They look at the mean of
// the models and leave the models as they are: the run is the same without the first two.
TEST(LocalSteps, ATestLooksAtTheMeanModelAndChangesNothing) {
  auto c = config_for("none", "ring", 4);
  c.steps = 120;
  c.eval_every = 1;
  const auto all = train(c, small_images(), {});
  c.local_steps = 7;
  const auto r = train(c, small_images(), {});
  ASSERT_EQ(r.evaluations.size(), 3U);
  EXPECT_NEAR(r.bytes_sent_per_worker, all.bytes_sent_per_worker * (120 / 7) / 120, 1e-6);
  c.eval_every = 0;
  const auto rarely = train(c, small_images(), {});
  EXPECT_EQ(rarely.evaluations.size(), 1U);
  EXPECT_EQ(rarely.state_hash, r.state_hash);
  EXPECT_EQ(rarely.model_hash, r.model_hash);
}

// The running statistics that a test uses are means over the workers; each worker keeps its own.
TEST(Evaluations, ChangeNoBitOfARunWithRunningStatistics) {
  RunConfig c;
  c.model = "resnet20";
  c.workers = 2;
  c.batch = 5;
  c.steps = 4;
  c.data = "synthetic:size=8,train=20,test=10";  // two steps an epoch
  const Dataset data = load_dataset(c.data, 3);
  complete(c);
  const auto often = train(c, data, {});
  EXPECT_EQ(often.evaluations.size(), 2U);
  c.eval_every = 0;
  const auto once = train(c, data, {});
  EXPECT_EQ(once.state_hash, often.state_hash);
  EXPECT_EQ(once.evaluations.back().loss, often.evaluations.back().loss);
}

// Every seven steps, at epochs or not, and at the end; epochs no longer count.
TEST(Evaluations, MayBeEverySoManySteps) {
  for (const char* topology : {"ring", "async"}) {
    auto c = config_for("none", topology, 2);
    c.steps = 20;
    c.eval_steps = 7;
    c.eval_every = 1;
    c.batch = 50;  // ten steps an epoch
    const auto often = train(c, small_images(), {});
    std::vector<std::int64_t> steps;
    for (const auto& e : often.evaluations) steps.push_back(e.step);
    EXPECT_EQ(steps, (std::vector<std::int64_t>{7, 14, 20})) << topology;
    c.eval_steps = 0;
    c.eval_every = 0;
    const auto once = train(c, small_images(), {});
    EXPECT_EQ(once.evaluations.size(), 1U) << topology;
    EXPECT_EQ(once.state_hash, often.state_hash) << topology;
  }
}

// Tests take no virtual time.
TEST(Evaluations, TakeNoTimeInAModelledNetwork) {
  auto c = config_for("none", "ring", 4);
  c.network = "1gbe";
  c.compute = "1ms";
  c.steps = 20;
  c.eval_every = 1;
  c.batch = 25;  // ten steps an epoch
  const auto often = train(c, small_images(), {});
  EXPECT_EQ(often.evaluations.size(), 2U);
  c.eval_every = 0;
  const auto once = train(c, small_images(), {});
  EXPECT_EQ(once.virtual_seconds, often.virtual_seconds);
}

TEST(Buckets, OfTwoWorkersGiveTheSameBitsInRealAndInVirtualTime) {
  const auto trained = [](const std::string& compressor, double bucket_mb, bool network) {
    auto c = config_for(compressor, "ring", 2);
    c.model = "lenet";
    c.bucket_mb = bucket_mb;
    if (network) c.network = "1gbe", c.compute = "5ms";
    complete(c);
    return train(c, small_images(), {});
  };
  for (const char* spec : {"none", "vote:beta=0.9", "topk:ratio=0.05+ef", "powersgd:rank=2+ef"}) {
    const auto whole = trained(spec, 0, false);
    const auto threads = trained(spec, 0.02, false), modelled = trained(spec, 0.02, true);
    EXPECT_EQ(whole.buckets, 1);
    EXPECT_EQ(threads.buckets, 2);
    EXPECT_EQ(threads.state_hash, whole.state_hash) << spec;
    EXPECT_EQ(modelled.state_hash, whole.state_hash) << spec;
    const auto again = trained(spec, 0.02, true), unhidden = trained(spec, 0, true);
    EXPECT_EQ(modelled.virtual_seconds, again.virtual_seconds) << spec;
    EXPECT_EQ(modelled.hidden_seconds, again.hidden_seconds) << spec;
    // The parts add up to the time of a step plus the hidden time. Tests and reports are not in
    // them.
    const auto on_top = [](const RunResult& r) {
      double parts = 0;
      for (const double seconds : r.virtual_step_times.seconds) parts += seconds;
      return *r.virtual_seconds / 20 - (parts - r.hidden_seconds);
    };
    EXPECT_NEAR(on_top(modelled), on_top(unhidden), 1e-9) << spec;
    EXPECT_GT(modelled.hidden_seconds, 0) << spec;
    EXPECT_EQ(unhidden.hidden_seconds, 0) << spec;
    EXPECT_EQ(unhidden.model_hash, whole.model_hash) << spec;
  }
}

TEST(Buckets, AreRefusedWhereThereIsNothingToOverlapWith) {
  const auto refused = [](const auto& change) {
    auto c = config_for("none", "ring", 2);
    c.bucket_mb = 1;
    change(c);
    EXPECT_THROW(complete(c), UsageError);
  };
  refused([](RunConfig& c) { c.topology = "async"; });
  refused([](RunConfig& c) { c.local_steps = 4; });
  refused([](RunConfig& c) { c.non_finite = "skip_step"; });
  refused([](RunConfig& c) { c.compressor = "topk:ratio=0.1,scope=model"; });
  refused([](RunConfig& c) { c.compressor = "none+clip:norm=1"; });
  refused([](RunConfig& c) { c.bucket_mb = -1; });
  refused([](RunConfig& c) { c.bucket_mb = std::nan(""); });
}

TEST(Partitions, EachIsATrainingOfItsOwn) {
  std::map<std::uint64_t, std::string> runs;
  for (const char* partition : {"iid", "shared", "by-label:2", "by-class:0-4/5-9"}) {
    auto c = config_for("none", "ring", 5);
    c.partition = partition;
    runs[train(c, small_images(), {}).state_hash] = partition;
  }
  EXPECT_EQ(runs.size(), 4U);
}

TEST(NonFinite, TheSameForAllWorkers) {
  auto c = config_for("none", "ring", 3);
  c.lr = 1e5;  // diverges in the first steps
  c.steps = 60;
  try {
    train(c, small_images(), {});
    FAIL() << "did not diverge";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("smaller learning rate"), std::string::npos) << e.what();
  }
  c.non_finite = "skip_step";
  EXPECT_EQ(train(c, small_images(), {}).steps, 60);
}

RunConfig small_config(const std::string& model, const std::string& data, std::int64_t workers) {
  RunConfig c;
  c.model = model;
  c.data = data;
  c.workers = workers;
  c.batch = 4;
  c.steps = 6;
  c.eval_every = 0;
  c.schedule = "constant";
  return c;
}

// ---- evaluation on either split ------------------------------------------------------------------

// A copy of the data whose test split is the validation split.
Dataset with_valid_as_test(const Dataset& data) {
  Dataset copy = data;
  if (auto* images = std::get_if<DatasetSplits>(&copy)) images->test = *images->valid;
  if (auto* text = std::get_if<TextSplits>(&copy)) text->test = text->valid;
  return copy;
}

// The evaluation on the validation split is that of a run whose test split has these samples, and
// training is the same.
void expect_evaluates_on_valid(RunConfig c) {
  complete(c);
  const auto data = load_data(c);
  const auto on_test = train(c, data, {});
  const auto expected = train(c, with_valid_as_test(data), {});
  c.evaluate = "valid";
  const auto on_valid = train(c, data, {});
  const auto &test = on_test.evaluations.back(), &valid = on_valid.evaluations.back();
  EXPECT_EQ(test.split, Split::test);
  EXPECT_EQ(valid.split, Split::valid);
  EXPECT_EQ(valid.loss, expected.evaluations.back().loss);
  EXPECT_EQ(valid.accuracy, expected.evaluations.back().accuracy);
  EXPECT_NE(valid.loss, test.loss);
  EXPECT_EQ(on_valid.model_hash, on_test.model_hash);
  EXPECT_EQ(on_valid.evaluations.size(), on_test.evaluations.size());

  const auto json = to_json(on_valid, c);
  EXPECT_EQ(json["config"]["evaluate"], "valid");
  EXPECT_EQ(json["valid_loss"], valid.loss);
  EXPECT_EQ(json["evaluations"].back()["valid_loss"], valid.loss);
  EXPECT_EQ(json.contains("valid_accuracy"), valid.metric == Metric::accuracy);
  EXPECT_FALSE(json.contains("test_loss"));
  EXPECT_FALSE(json.contains("test_accuracy"));
  EXPECT_EQ(to_json(on_test, c)["test_loss"], test.loss);
}

TEST(Evaluation, IsOnTheSplitThatTheFlagNames) {
  auto c = config_for("none", "ring", 3);
  c.data = "synthetic:size=14,train=1000,test=100,valid=200";
  expect_evaluates_on_valid(c);
  c.topology = "async";
  expect_evaluates_on_valid(c);
  expect_evaluates_on_valid(
      small_config("lstm:layers=1,hidden=8", "synthetic-text:length=4000,seq=5", 2));
}

TEST(Evaluation, OnAValidationSplitThatTheDataLackIsAUsageError) {
  auto c = config_for("none", "ring", 2);
  c.evaluate = "valid";
  for (const auto& [data, remedy] : std::map<std::string, std::string>{
           {"synthetic:size=14,train=1000", "synthetic:size=14,train=1000,valid=100"},
           {"synthetic", "synthetic:valid=600"}}) {
    c.data = data;
    try {
      load_data(c);
      FAIL() << data;
    } catch (const UsageError& e) {
      EXPECT_NE(std::string(e.what()).find("--data " + remedy), std::string::npos) << e.what();
    }
    c.data = remedy;
    EXPECT_NO_THROW(load_data(c));
  }
  EXPECT_THROW(train(c, small_images(), {}), UsageError);
}

TEST(Evaluation, ItsSplitIsPartOfTheConfiguration) {
  auto c = config_for("none", "ring", 2);
  EXPECT_EQ(to_json(c)["evaluate"], "test");
  c.evaluate = "valid";
  auto json = to_json(c);
  EXPECT_EQ(config_from_json(json).evaluate, Split::valid);
  json.erase("evaluate");  // of an older run
  EXPECT_EQ(config_from_json(json).evaluate, Split::test);
}

// ---- language models, and models with running statistics ----------------------------------------

std::map<std::string, RunResult> over_topologies(RunConfig c) {
  std::map<std::string, RunResult> results;
  for (const char* topology : {"local", "ring", "server"}) {
    c.topology = topology;
    c.threads = 0;
    complete(c);
    results[topology] = train(c, load_data(c), {});
  }
  return results;
}

TEST(LanguageModel, TrainsOverEveryTopologyWithTheSameBits) {
  for (const char* compressor : {"none", "powersgd:rank=2+ef", "topk:ratio=0.05+ef", "vote"}) {
    auto c = small_config("lstm:layers=2,hidden=8", "synthetic-text:length=4000,seq=5", 3);
    c.compressor = compressor;
    const auto results = over_topologies(c);
    for (const auto& [topology, result] : results) {
      EXPECT_EQ(result.state_hash, results.at("local").state_hash) << compressor << topology;
      const auto& e = result.evaluations.back();
      EXPECT_EQ(e.metric, Metric::perplexity);
      EXPECT_DOUBLE_EQ(e.score(), std::exp(e.loss));
      EXPECT_EQ(e.loss, results.at("local").evaluations.back().loss);
    }
  }
}

// The text is a Markov chain, so the lowest perplexity that a model can reach is known.
TEST(LanguageModel, ComesNearTheEntropyOfItsText) {
  auto c = small_config("lstm:layers=1,hidden=32,dropout=0",
                        "synthetic-text:vocab=20,length=60000,seq=20", 1);
  c.batch = 32;
  c.steps = 250;
  c.optimizer = "adam+clip:norm=1";
  c.lr = 0.02;
  c.schedule = "linear";
  complete(c);
  const auto data = load_data(c);
  const double best = std::exp(std::get<TextSplits>(data).entropy_rate.value());
  const double reached = train(c, data, {}).evaluations.back().score();
  EXPECT_GT(reached, 0.98 * best);
  EXPECT_LT(reached, 1.15 * best);
}

TEST(BatchNorm, ReplicasAgreeAfterEvaluationOverEveryTopology) {
  const auto results =
      over_topologies(small_config("resnet20", "synthetic:size=8,channels=3,train=200,test=50", 3));
  for (const auto& [topology, result] : results) {
    EXPECT_EQ(result.state_hash, results.at("local").state_hash) << topology;
    EXPECT_EQ(result.evaluations.back().loss, results.at("local").evaluations.back().loss)
        << topology;
  }
}

// Without allowed staleness, the asynchronous server equals the synchronous one.
TEST(Asynchronous, WithoutStalenessItTrainsTheModelOfTheServer) {
  for (const char* compressor : {"none", "sign+ef", "topk:ratio=0.05+ef"}) {
    auto c = config_for(compressor, "server", 4);
    c.schedule = "linear";
    const auto reference = train(c, small_images(), {});
    c.topology = "async";
    c.async.staleness = 0;
    for (const char* clock : {"virtual", "real"}) {
      c.async.clock = clock;
      const auto result = train(c, small_images(), {});
      EXPECT_EQ(result.model_hash, reference.model_hash) << compressor << ", " << clock;
      EXPECT_EQ(result.steps, reference.steps);
      EXPECT_EQ(result.steps_per_epoch, reference.steps_per_epoch);
      EXPECT_EQ(result.async->staleness.most(), 0U);
    }
  }
}

// The same with dropout draws and running statistics, which each worker has of its own.
TEST(Asynchronous, WithoutStalenessBatchNormAndDropoutAreThoseOfTheServer) {
  auto c = small_config("resnet20", "synthetic:size=8,channels=3,train=200,test=50", 3);
  c.topology = "server";
  complete(c);
  const auto data = load_data(c);
  const auto reference = train(c, data, {});
  c.topology = "async";
  c.async.staleness = 0;
  const auto result = train(c, data, {});
  EXPECT_EQ(result.model_hash, reference.model_hash);
  EXPECT_NEAR(result.evaluations.back().loss, reference.evaluations.back().loss, 1e-5);
  c.async.clock = "real";
  EXPECT_THROW(train(c, data, {}), UsageError);
}

TEST(Asynchronous, LearnsFromStaleGradients) {
  for (const char* rule : {"vanilla", "dc_asgd", "softsync:n=2", "backup:spare=1"}) {
    auto c = config_for("topk:ratio=0.1+ef", "async", 8);
    c.async.server_rule = rule;
    c.steps = 400;
    c.optimizer = "sgd";
    c.lr = 0.05;
    const auto result = train(c, small_images(), {});
    EXPECT_GT(result.evaluations.back().accuracy, 0.8) << rule;
  }
}

TEST(Asynchronous, TakesTimeInAModelledNetwork) {
  auto c = config_for("topk:ratio=0.1+ef", "async", 1);
  c.steps = 50;
  c.network = "1gbe";
  c.async.durations = "constant";
  EXPECT_THROW(complete(c), UsageError) << "of how many seconds?";
  c.compute = "5ms";
  complete(c);
  const auto result = train(c, small_images(), {});
  const auto bytes = static_cast<double>(result.message_bytes) + 32 + 40 +
                     4 * static_cast<double>(result.parameters);
  const double ways = 2 * 50e-6 + bytes / (1e9 / 8);
  const auto json = to_json(result, c);
  EXPECT_NEAR(json["virtual_seconds"].get<double>(), 50 * (5e-3 + ways), 1e-12);
  EXPECT_NEAR(json["virtual_milliseconds_per_step"]["compute"].get<double>(), 5, 1e-9);
  EXPECT_NEAR(json["virtual_milliseconds_per_step"]["exchange"].get<double>(), 1e3 * ways, 1e-9);
  EXPECT_EQ(json["evaluations"].back()["time"]["virtual_seconds"], json["virtual_seconds"]);
  EXPECT_NEAR(json["samples_per_virtual_second"].get<double>(),
              static_cast<double>(c.batch) / (5e-3 + ways), 1e-6);
  c.workers = 8;
  c.async.durations = "exponential";
  const auto once = to_json(train(c, small_images(), {}), c);
  const auto again = to_json(train(c, small_images(), {}), c);
  EXPECT_EQ(once["virtual_seconds"], again["virtual_seconds"]);
  EXPECT_EQ(once["state_hash"], again["state_hash"]);
  c.async.clock = "real";
  c.async.durations = "exponential";
  EXPECT_THROW(complete(c), UsageError);
}

// Winograd's algorithm changes only the rounding. The loss of the second step depends on the
// forward and backward pass of the first one. A few steps later, training has amplified the
// rounding to a few percent.
TEST(ExactConvolution, ChangesRoundingAlone) {
  auto c = small_config("resnet20", "synthetic:size=16,channels=3,train=200,test=50", 1);
  c.topology = "local";
  c.steps = 2;
  complete(c);
  const auto data = load_data(c);
  const auto winograd = train(c, data, {});
  c.exact_convolution = true;
  const auto exact = train(c, data, {});
  EXPECT_NE(winograd.state_hash, exact.state_hash);
  EXPECT_NEAR(winograd.train_loss, exact.train_loss, 1e-3 * exact.train_loss);
}

}  // namespace
}  // namespace terse::run
