// Recorded steps: they change no bit of a run, their sizes are known before, and other methods
// replayed on them send the packets of a real run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "examples/run/checkpoint.hpp"
#include "examples/run/recorder.hpp"
#include "examples/run/trained_model.hpp"
#include "examples/run/training.hpp"
#include "examples/whatif/replay.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/nn/models.hpp"

namespace terse::run {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Record : public testing::Test {
 protected:
  void TearDown() override { fs::remove_all(folder()); }
  static fs::path folder() {
    return fs::temp_directory_path() / ("terse_record_" + std::to_string(getpid()));
  }
  static const Dataset& data() {
    static const Dataset images = load_dataset("synthetic:size=8,train=60,test=20", 3);
    return images;
  }
  static RunConfig config_for(const std::string& compressor, const std::string& topology = "ring") {
    RunConfig c;
    c.model = "mlp:hidden=8,layers=2";
    c.data = "synthetic:size=8,train=60,test=20";
    c.workers = 3;
    c.topology = topology;
    c.compressor = compressor;
    c.optimizer = "sgd";
    c.batch = 4;
    c.steps = 6;
    c.eval_every = 0;
    c.lr = 0.05;
    c.schedule = "constant";
    return c;
  }
  static RunResult run(RunConfig config) {
    complete(config);
    return train(config, data(), {});
  }
  // Runs with this --record and returns the result and the records.
  static std::pair<RunResult, Records> record(RunConfig config, const std::string& what,
                                              const std::string& name) {
    config.record = what;
    config.out = (folder() / name).string();
    auto result = run(std::move(config));
    return {std::move(result), read_records(folder() / name)};
  }
  static std::uintmax_t bytes_on_disk(const fs::path& run) {
    std::uintmax_t bytes = 0;
    for (const auto& entry : fs::recursive_directory_iterator(run / "records")) {
      if (entry.is_regular_file() && entry.path().filename() != "records.json") {
        bytes += entry.file_size();
      }
    }
    return bytes;
  }
  static RecordPlan plan_of(RunConfig config, const std::string& what) {
    complete(config);
    nn::Init init(1);
    const auto model = nn::make_model(config.model, {1, 8, 8, 10}, init);
    const ParameterBuffer parameters(nn::parameters(*model));
    return plan_records(config, parse_record(what), parameters, 0, config.steps);
  }
};

TEST_F(Record, ChangesNoBitAndHasTheBytesThatWerePlanned) {
  const std::string what = "steps=1;5";
  const auto compare = [&](const std::string& name, const RunConfig& config) {
    const auto plain = run(config);
    const auto [recorded, records] = record(config, what, name);
    EXPECT_EQ(recorded.model_hash, plain.model_hash) << name;
    EXPECT_EQ(recorded.state_hash, plain.state_hash) << name;
    EXPECT_EQ(recorded.bytes_sent, plain.bytes_sent) << name;
    EXPECT_EQ(recorded.message_bytes, plain.message_bytes) << name;
    EXPECT_EQ(recorded.virtual_seconds, plain.virtual_seconds) << name;
    EXPECT_FALSE(records.steps.empty()) << name;
    if (config.topology == RunTopology::async) return;
    const auto plan = plan_of(config, what);
    EXPECT_EQ(std::ssize(records.steps), plan.steps) << name;
    EXPECT_TRUE(plan.exact) << name;
    EXPECT_EQ(static_cast<double>(bytes_on_disk(folder() / name)), plan.total()) << name;
  };
  for (const char* compressor :
       {"none", "sign+ef", "vote", "powersgd:rank=2+ef", "topk:ratio=0.1+sign+ef",
        "terngrad:shared", "sign+doublesqueeze", "diana"}) {
    for (const char* topology : {"local", "ring", "server"}) {
      compare(fmt::format("{} {}", compressor, topology), config_for(compressor, topology));
    }
  }
  auto shards = config_for("topk:ratio=0.1+ef", "server");
  shards.servers = 2;
  compare("shards", shards);
  auto buckets = config_for("topk:ratio=0.1+ef");
  buckets.bucket_mb = 0.0005;
  compare("buckets", buckets);
  auto local = config_for("topk:ratio=0.1+ef");
  local.local_steps = 2;
  local.local_after = 2;
  compare("local", local);
  auto network = config_for("none");
  network.network = "1gbe";
  network.compute = "5ms";
  compare("network", network);
  auto robust = config_for("topk:ratio=0.1+ef", "server");
  robust.aggregate = "median";
  compare("robust", robust);
  auto async = config_for("topk:ratio=0.1+ef", "async");
  async.steps = 30;
  compare("async", async);
}

TEST_F(Record, DescribesWhatItHolds) {
  auto config = config_for("topk:ratio=0.1+ef");
  config.local_steps = 2;
  config.local_after = 2;
  const auto local = record(config, "steps=0..5,tensors=1.*,packets=no", "local").second;
  ASSERT_EQ(local.steps.size(), 4U);  // 0 and 1, then 3 and 5
  EXPECT_FALSE(local.steps[1].differences);
  EXPECT_TRUE(local.steps[2].differences);
  EXPECT_EQ(local.steps[3].step, 5);
  EXPECT_EQ(local.steps[3].round, 1U);
  EXPECT_TRUE(local.steps[0].packets.empty());
  ASSERT_EQ(local.tensors.size(), 2U);
  EXPECT_EQ(local.tensors[0].name, "1.weight");
  EXPECT_EQ(local.tensors[0].shape, (std::vector<std::int64_t>{8, 64}));
  EXPECT_EQ(read_recorded(folder() / "local", local.steps[0], 2, local.tensors[0]).size(), 512U);

  config = config_for("sign+ef");
  config.attack = "die:at=3";
  config.on_failure = "continue";
  const auto fewer = record(config, "steps=2..4", "fewer").second;
  ASSERT_EQ(fewer.steps.size(), 3U);
  EXPECT_EQ(fewer.steps[0].workers.size(), 3U);
  EXPECT_EQ(fewer.steps[2].workers.size(), 2U);
  Replay replay(fewer, "sign+ef");
  for (const auto& step : fewer.steps) replay.run(read_gradients(folder() / "fewer", fewer, step));
  EXPECT_EQ(replay.steps().size(), 3U);

  config = config_for("topk:ratio=0.1+ef");
  config.bucket_mb = 0.0005;
  const auto buckets = record(config, "steps=2", "buckets").second;
  EXPECT_GT(buckets.steps[0].packets.size(), 1U);
  EXPECT_EQ(buckets.steps[0].packets[1].file, "packet.phase-0.bucket-1.bin");
}

TEST_F(Record, AReplaySendsThePacketsOfARealRun) {
  const auto plain = record(config_for("none"), "steps=0", "plain").second;
  const auto gradients = read_gradients(folder() / "plain", plain, plain.steps[0]);
  for (const std::string method :
       {"none", "powersgd:rank=2+ef", "topk:ratio=0.1+ef", "sign+ef", "vote", "qsgd:bits=4",
        "randomk:ratio=0.1+ef", "ssdm", "terngrad:shared", "svd:rank=2", "dgc:ratio=0.1"}) {
    const auto real = record(config_for(method), "steps=0", method).second;
    int packets = 0;
    Replay replay(plain, method, [&](std::int64_t step, int worker, int bucket, const Packet& up) {
      const auto file =
          recorded_folder(folder() / method, step, worker) / packet_file(up.header().phase, bucket);
      EXPECT_TRUE(std::ranges::equal(read_file(file), up.bytes())) << method << " " << file;
      ++packets;
    });
    replay.run(gradients);
    EXPECT_EQ(packets, 3 * std::ssize(real.steps[0].packets)) << method;
  }
}

// The gradients of a run do not depend on what is replayed on them, so a method that is replayed on
// its own run must send that run's packets in all steps: its state is that of the run.
TEST_F(Record, AReplayOfItsOwnMethodRepeatsAllSteps) {
  for (const std::string method :
       {"powersgd:rank=2+ef", "sign+doublesqueeze", "dgc:ratio=0.1", "diana", "vote:beta=0.9"}) {
    const auto records = record(config_for(method), "steps=0..5", method).second;
    Replay replay(records, method, [&](std::int64_t step, int worker, int, const Packet& up) {
      const auto file =
          recorded_folder(folder() / method, step, worker) / packet_file(up.header().phase, -1);
      EXPECT_TRUE(std::ranges::equal(read_file(file), up.bytes())) << method << " " << file;
    });
    for (const auto& step : records.steps) {
      replay.run(read_gradients(folder() / method, records, step));
    }
  }
}

TEST_F(Record, ReplaysMeasureKnownValues) {
  const auto records = record(config_for("none"), "steps=0..2", "plain").second;
  const auto replay = [&](const std::string& method) {
    Replay done(records, method);
    for (const auto& step : records.steps) {
      done.run(read_gradients(folder() / "plain", records, step));
    }
    return done;
  };
  const auto none = replay("none");
  EXPECT_NEAR(none.mean().relative_error, 0, 1e-12);
  EXPECT_NEAR(none.mean().cosine, 1, 1e-7);
  EXPECT_EQ(none.mean().sign_agreement, 1);
  EXPECT_EQ(none.mean().energy.kept, 1);
  EXPECT_TRUE(std::isnan(none.mean().residual));
  EXPECT_EQ(none.mean().packet_bytes, 4.0 * static_cast<double>(none.values()));
  // The best methods of their kind reach the optimum.
  const auto best = replay("topk:ratio=0.1,scope=model").mean();
  EXPECT_NEAR(best.energy.kept, best.energy.top_k, 0.01);
  const auto svd = replay("svd:rank=2").mean();
  EXPECT_NEAR(svd.energy.kept, svd.energy.svd, 1e-6);
  const auto power = replay("powersgd:rank=2+ef").mean();
  EXPECT_LT(power.energy.kept, power.energy.svd + 1e-6);
  EXPECT_GT(power.energy.kept, 0);
  // The first residual is what the first packet has lost: |e|^2 = (1 - kept) |g|^2.
  const auto gradients = read_gradients(folder() / "plain", records, records.steps[0]);
  double squares = 0;
  for (const double value : gradients.workers[0]) squares += value * value;
  auto alone = records;
  alone.steps[0].workers.resize(1);
  Replay one(alone, "topk:ratio=0.1+ef");
  one.run(read_gradients(folder() / "plain", alone, alone.steps[0]));
  const auto& first = one.steps().front();
  EXPECT_NEAR(first.residual * first.residual, (1 - first.energy.kept) * squares, 1e-6 * squares);
  EXPECT_NEAR(first.relative_error, 1 - first.energy.kept, 1e-6);
  // A vote has no magnitude.
  EXPECT_TRUE(std::isnan(replay("vote").mean().relative_error));
}

TEST_F(Record, SomeTensorsGiveThePacketsOfTheirOwn) {
  const auto whole = record(config_for("none"), "steps=0", "whole").second;
  const auto part = record(config_for("none"), "steps=0,tensors=1.weight;3.*", "part").second;
  Replay replay(part, "topk:ratio=0.1+ef");
  replay.run(read_gradients(folder() / "part", part, part.steps[0]));
  EXPECT_LT(replay.values(), whole.values);
  Replay clipped(part, "topk:ratio=0.1+clip:norm=1");
  try {
    clipped.run(read_gradients(folder() / "part", part, part.steps[0]));
    ADD_FAILURE();
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("it needs the gradient of the whole model; "));
  }
}

TEST_F(Record, AResumedRunGoesOnRecording) {
  auto config = config_for("powersgd:rank=2+ef");
  const std::string what = "steps=1..5";
  record(config, what, "whole");
  complete(config);
  config.record = what;
  config.out = (folder() / "resumed").string();
  const auto checkpoint = folder() / "checkpoint";
  Listener listener{.on_checkpoint = [&](const RunState& state) {
    if (state.step != 3) return;
    write_file(checkpoint, [&](std::ostream& out) {
      write_checkpoint(out, state, {config, fingerprint(data()), task_text(data())});
    });
  }};
  config.checkpoint_every = 3;
  train(config, data(), listener);
  fs::remove_all(recorded_folder(folder() / "resumed", 4, 0));  // the checkpoint is older
  const Checkpoint from(checkpoint);
  train(config, data(), {}, nullptr, &from);
  const auto records = read_records(folder() / "resumed");
  EXPECT_EQ(records.steps.size(), 5U);
  for (const auto& entry : fs::recursive_directory_iterator(folder() / "whole" / "records")) {
    if (!entry.is_regular_file()) continue;
    const auto other = folder() / "resumed" / fs::relative(entry.path(), folder() / "whole");
    EXPECT_EQ(read_file(entry.path()), read_file(other)) << other;
  }
  config.record = "steps=4..5,tensors=1.*";
  EXPECT_THROW(train(config, data(), {}, nullptr, &from), UsageError);
}

TEST_F(Record, WrongRequestsAreClearErrors) {
  const auto error = [&](const std::string& what, RunConfig config = config_for("none")) {
    try {
      record(std::move(config), what, "refused");
    } catch (const UsageError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_THAT(error("tensors=*"), HasSubstr("expected the steps, such as steps=100..110"));
  EXPECT_THAT(error("steps=5..3"), HasSubstr("expected a step or a range"));
  EXPECT_THAT(error("steps=-1"), HasSubstr("expected a step or a range"));
  EXPECT_THAT(error("steps=1..3;3"), HasSubstr("expected each step once; got 3 twice"));
  EXPECT_THAT(error("steps=1,stepz=2"), HasSubstr("did you mean steps?"));
  EXPECT_THAT(error("steps=1,steps=2"), HasSubstr("steps is given twice"));
  EXPECT_THAT(error("steps=1,limit=2TB"), HasSubstr("expected bytes, such as 2GB"));
  EXPECT_THAT(error("steps=1,packets=maybe"), HasSubstr("expected yes or no"));
  EXPECT_THAT(error("steps=1,tensors=1.wieght"), HasSubstr("did you mean 1.weight?"));
  EXPECT_THAT(error("steps=2..6"), HasSubstr("expected steps from 0 to 5, because the run has 6"));
  EXPECT_THAT(error("steps=1,limit=1KB"), HasSubstr("expected at most 1.0 KB of records; these are "
                                                    "1 step x 3 workers x "));
  EXPECT_FALSE(fs::exists(folder() / "refused"));
  auto local = config_for("none");
  local.local_steps = 4;
  EXPECT_THAT(error("steps=1", local), HasSubstr("the first is 3"));
  auto async = config_for("none", "async");
  async.async.clock = "real";
  EXPECT_THAT(error("steps=1", async), HasSubstr("use --clock virtual"));
  EXPECT_EQ(error("steps=1,limit=1MB"), "");
}

}  // namespace
}  // namespace terse::run
