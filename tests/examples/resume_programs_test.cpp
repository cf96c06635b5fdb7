// train --resume as a user runs it: a run that pauses is the same run, in its result and its log.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <cstddef>
#include <iomanip>
#include <span>

#include "tersegrad/core/files.hpp"
#include "tersegrad/core/safetensors.hpp"
#include "tests/examples/program_fixture.hpp"

namespace {

using json = nlohmann::json;

class ResumePrograms : public ProgramFixture {
 protected:
  static json lasting(json result) {
    for (const char* time : {"seconds", "samples_per_second", "milliseconds_per_step",
                             "hidden_milliseconds_per_step", "samples_per_virtual_second"}) {
      result.erase(time);
    }
    result["config"].erase("checkpoint_every");
    return result;
  }

  std::string in(const std::string& name) const { return (folder / name).string(); }

  // A run of `total` steps equals one of `half` steps that is saved after every step and continued.
  void expect_resumes(const std::string& flags, int half, int total) const {
    SCOPED_TRACE(flags);
    fs::remove_all(in("whole"));
    fs::remove_all(in("paused"));
    const auto start = "train " + flags + " --schedule constant --json";
    const auto whole = run(start + " --steps " + std::to_string(total) + " --out " + in("whole"));
    ASSERT_EQ(whole.code, 0) << whole.error;
    const auto first = run(start + " --checkpoint-every 1 --steps " + std::to_string(half) +
                           " --out " + in("paused"));
    ASSERT_EQ(first.code, 0) << first.error;
    const auto rest =
        run("train --json --resume " + in("paused") + " --steps " + std::to_string(total));
    ASSERT_EQ(rest.code, 0) << rest.error;
    EXPECT_EQ(lasting(last_line(whole.out)), lasting(last_line(rest.out)));
    EXPECT_EQ(lasting_log(in("whole")), lasting_log(in("paused")));
    const auto config = json::parse(read(in("paused") + "/config.json"));
    ASSERT_EQ(config["resumes"].size(), 1);
    EXPECT_EQ(config["resumes"][0]["step"], half);
  }

  const std::string lenet =
      "--model lenet --data synthetic:train=640,test=100 --batch 16 --workers 3 ";
  const std::string resnet =
      "--model resnet20 --data synthetic:train=120,test=40 --batch 4 --workers 2 ";
  const std::string lstm =
      "--model lstm:hidden=32,embedding=32,dropout=0.3 --data synthetic-text:vocab=50 ";
};

TEST_F(ResumePrograms, Networks) {
  expect_resumes(resnet + "--compressor powersgd:rank=2+ef", 3, 7);
  expect_resumes(lstm + "--compressor topk:ratio=0.01+ef --workers 3", 7, 20);
}

TEST_F(ResumePrograms, WhatWorkersExchange) {
  expect_resumes(lenet + "--local-steps 4 --compressor topk:ratio=0.05+ef", 14, 30);
  // The report of step 25 shows the packets of step 24.
  expect_resumes(lenet + "--local-steps 4 --compressor sign+ef", 24, 30);
  const auto diloco = lenet +
                      "--local-steps 4 --local-after 10 --outer sgd:momentum=0.9,nesterov "
                      "--outer-lr 0.7 --optimizer adam --lr 0.001";
  expect_resumes(diloco, 5, 30);
  expect_resumes(diloco, 15, 30);
  expect_resumes(lenet + "--bucket-mb 0.1 --compressor sign+ef", 14, 30);
  expect_resumes(lenet + "--partition by-label:2", 14, 30);
  expect_resumes(
      "--model lenet --data synthetic:train=740,test=100,valid=100 --batch 16 --workers 3 "
      "--evaluate valid",
      14, 50);
  expect_resumes(lenet + "--partition by-class:0-4/5-9", 14, 30);
  expect_resumes(
      "--model lenet --data synthetic:train=640,test=100 --batch 16 --workers 1 "
      "--partition by-class:0-4/5-9",
      14, 50);
  expect_resumes(lenet + "--compressor dgc:ratio=0.01,warmup=2 --topology server", 14, 30);
  expect_resumes(lenet + "--measure density", 14, 30);
}

// The checkpoint is written in the middle of the warm-up.
TEST_F(ResumePrograms, AWarmUp) {
  fs::remove_all(in("whole"));
  const auto start = "train " + lenet + "--schedule constant:warmup=2 --json --out ";
  const auto whole = run(start + in("whole") + " --steps 40");
  ASSERT_EQ(whole.code, 0) << whole.error;
  ASSERT_EQ(run(start + in("paused") + " --steps 17").code, 0);
  const auto rest = run("train --json --steps 40 --resume " + in("paused"));
  EXPECT_EQ(lasting(last_line(whole.out)), lasting(last_line(rest.out))) << rest.error;
  EXPECT_EQ(lasting_log(in("whole")), lasting_log(in("paused")));
}

TEST_F(ResumePrograms, ModelledNetworks) {
  expect_resumes(lenet + "--network 1gbe --compute 5ms --compressor qsgd:bits=4", 14, 30);
  expect_resumes(lenet + "--network 1gbe,jitter=50us,loss=0.01,slow=2:3 --compute 1ms", 14, 30);
  expect_resumes(lenet + "--network wan,jitter=5ms --compute 1ms --local-steps 3", 14, 30);
  expect_resumes(lenet + "--network wan,jitter=5ms --compute 1ms --bucket-mb 0.05", 14, 30);
}

TEST_F(ResumePrograms, Faults) {
  expect_resumes(lenet + "--attack stale:steps=3", 14, 30);
  expect_resumes(lenet + "--attack replay:rate=0.5 --compressor sign --topology server", 14, 30);
  expect_resumes(lenet + "--attack die:at=5 --on-failure continue --compressor topk:ratio=0.1+ef",
                 14, 30);
  expect_resumes(lenet + "--attack nan:at=5 --non-finite skip_step", 6, 30);
}

TEST_F(ResumePrograms, AsynchronousServers) {
  const auto async = lenet + "--topology async ";
  expect_resumes(async + "--server-rule softsync:n=2", 14, 30);
  expect_resumes(async + "--server-rule dc_asgd --compressor topk:ratio=0.05+ef", 14, 30);
  expect_resumes(async + "--delays uniform:most=8", 14, 30);
  expect_resumes(async + "--network 1gbe,jitter=100us --compute 1ms --sparse-pulls", 14, 30);
  expect_resumes(resnet + "--topology async --compressor sign", 7, 12);
}

// On the real clock runs do not repeat, but they go on.
TEST_F(ResumePrograms, TheRealClock) {
  const auto start = "train " + lenet +
                     "--topology async --clock real --json --checkpoint-every 7 "
                     "--compressor topk:ratio=0.1+ef --steps 30 --out ";
  ASSERT_EQ(run(start + in("run")).code, 0);
  const auto rest = run("train --json --steps 60 --resume " + in("run"));
  ASSERT_EQ(rest.code, 0) << rest.error;
  EXPECT_NE(rest.error.find("no two such runs are equal"), std::string::npos) << rest.error;
  EXPECT_EQ(last_line(rest.out)["steps"], 60);
  EXPECT_EQ(count_of(lasting_log(in("run")), "\"lr\""), 4);  // steps 25, 30, 50 and 60
  expect_refused("train " + lenet +
                     "--topology async --clock real --server-rule hogwild --checkpoint-every 2 "
                     "--out " +
                     in("hogwild"),
                 2, "hogwild");
}

// A signal ends the run at a step on which all workers agree.
TEST_F(ResumePrograms, AnInterruptedRunContinues) {
  for (const char* topology : {"ring", "async", "ring --local-steps 5"}) {
    SCOPED_TRACE(topology);
    fs::remove_all(in("whole"));
    fs::remove_all(in("paused"));
    const auto start = "train " + lenet + "--steps 600 --eval-every 0 --json --topology " +
                       std::string(topology) + " --out ";
    const auto whole = run(start + in("whole"));
    ASSERT_EQ(whole.code, 0) << whole.error;
    const auto paused =
        run_shell("timeout --preserve-status -s TERM 0.4 " + bin + start + in("paused"));
    if (paused.code == 0) continue;  // a fast machine has finished
    EXPECT_EQ(paused.code, 143) << paused.error;
    EXPECT_NE(paused.error.find("--resume"), std::string::npos) << paused.error;
    const auto rest = run("train --json --resume " + in("paused"));
    ASSERT_EQ(rest.code, 0) << rest.error;
    EXPECT_EQ(lasting(last_line(whole.out)), lasting(last_line(rest.out)));
    EXPECT_EQ(lasting_log(in("whole")), lasting_log(in("paused")));
  }
}

TEST_F(ResumePrograms, AnotherFolderAndOtherReports) {
  const auto start = "train " + lenet + "--schedule constant --json --out ";
  const auto whole = run(start + in("whole") + " --steps 30");
  ASSERT_EQ(run(start + in("paused") + " --steps 14").code, 0);
  const auto before = read(in("paused") + "/log.jsonl");
  const auto rest = run("train --json --steps 30 --threads 1 --deadline 60 --checkpoint-every 7 " +
                        std::string("--resume ") + in("paused") + " --out " + in("other"));
  ASSERT_EQ(rest.code, 0) << rest.error;
  EXPECT_EQ(last_line(whole.out)["state_hash"], last_line(rest.out)["state_hash"]);
  EXPECT_EQ(lasting_log(in("whole")), lasting_log(in("other")));
  EXPECT_EQ(read(in("paused") + "/log.jsonl"), before);
  // A folder is the same by any name, and a new folder can be resumed even if no step was taken.
  EXPECT_EQ(run("train --steps 31 --resume " + in("other") + " --out " + in("other") + "/").code,
            0);
  EXPECT_EQ(run("train --resume " + in("other") + " --out " + in("third")).code, 0);
  EXPECT_EQ(run("train --steps 33 --eval-steps 32 --resume " + in("third")).code, 0);
  EXPECT_NE(read(in("third") + "/log.jsonl").find("\"step\":32,\"test_accuracy\""),
            std::string::npos);
}

TEST_F(ResumePrograms, ADamagedCheckpointFallsBackToTheOneBefore) {
  const auto start = "train " + lenet + "--schedule constant --json --checkpoint-every 5 --out ";
  const auto whole = run(start + in("whole") + " --steps 14");
  ASSERT_EQ(run(start + in("run") + " --steps 14").code, 0);
  const auto newest = in("run") + "/checkpoint.safetensors";
  fs::resize_file(newest, fs::file_size(newest) / 2);
  const auto rest = run("train --json --resume " + in("run"));
  ASSERT_EQ(rest.code, 0) << rest.error;
  EXPECT_NE(rest.error.find("reading the checkpoint before the newest, of step 10"),
            std::string::npos)
      << rest.error;
  EXPECT_EQ(last_line(whole.out)["state_hash"], last_line(rest.out)["state_hash"]);
  EXPECT_EQ(lasting_log(in("whole")), lasting_log(in("run")));
  fs::resize_file(newest, 100);
  fs::resize_file(in("run") + "/checkpoint.previous.safetensors", 100);
  expect_refused("train --resume " + in("run"), 1, "no checkpoint of the run can be read");
}

TEST_F(ResumePrograms, WhatCannotBeContinuedIsRefused) {
  ASSERT_EQ(run("train " + lenet + "--steps 4 --out " + in("run")).code, 0);
  expect_refused("train --batch 8 --resume " + in("run"), 2, "expected --batch 16");
  expect_refused("train --evaluate valid --resume " + in("run"), 2, "expected --evaluate test");
  expect_refused("train --compressor sign --resume " + in("run"), 2, "--compressor");
  expect_refused("train --data synthetic:train=320,test=100 --resume " + in("run"), 1,
                 "expected the data of the run");
  expect_refused("train --steps 3 --resume " + in("run"), 2, "expected at least 4");
  expect_refused("train --resume " + in("nothing"), 2, "expected the folder of a run");
  expect_refused("train --checkpoint-every 3 " + lenet, 2, "--out");
  expect_refused("train " + lenet + "--out " + in("run"), 1, "--resume");
  fs::remove(in("run") + "/checkpoint.safetensors");
  expect_refused("train --resume " + in("run"), 1, "checkpoint.safetensors; there is none");
}

// Replaces the configuration in the metadata of a checkpoint, and its hash: XXH3 over the metadata
// and the arrays in the order of their names, each preceded by two sizes.
void replace_config(const fs::path& file, const json& config) {
  const auto bytes = terse::read_file(file);
  const terse::Safetensors checkpoint("checkpoint", bytes);
  auto metadata = checkpoint.metadata();
  metadata["config"] = config.dump();
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  const auto add = [&](const std::string& name, std::span<const std::byte> data) {
    const std::array<std::uint64_t, 2> sizes = {name.size(), data.size()};
    XXH3_64bits_update(&state, sizes.data(), sizeof sizes);
    XXH3_64bits_update(&state, name.data(), name.size());
    XXH3_64bits_update(&state, data.data(), data.size());
  };
  for (const auto& [key, text] : metadata) {
    if (key != "hash") add(key, std::as_bytes(std::span(text)));
  }
  std::vector<terse::ArrayToWrite> arrays;
  for (const auto& [name, array] : checkpoint.arrays()) {
    add(name, array.data);
    arrays.push_back({name, array.type, array.shape, array.data});
  }
  std::ostringstream hash;
  hash << std::hex << std::setw(16) << std::setfill('0') << XXH3_64bits_digest(&state);
  metadata["hash"] = hash.str();
  std::ofstream out(file, std::ios::binary);
  terse::write_safetensors(out, arrays, metadata);
}

// Older versions did not write all keys of the configuration, neither in config.json nor in the
// checkpoint. The missing values are the defaults.
TEST_F(ResumePrograms, ARunOfAnOlderVersionContinues) {
  ASSERT_EQ(run("train " + lenet + "--steps 4 --out " + in("run")).code, 0);
  auto config = json::parse(read(in("run") + "/config.json"));
  for (const char* key : {"evaluate", "check_laws", "record", "eval_steps"}) config.erase(key);
  std::ofstream(in("run") + "/config.json") << config.dump();
  replace_config(in("run") + "/checkpoint.safetensors", config);
  const auto resume = "train --steps 6 --resume " + in("run");
  expect_refused(resume + " --evaluate valid", 2, "expected --evaluate test");
  const auto o = run(resume);
  EXPECT_EQ(o.code, 0) << o.error;
  config["evaluate"] = "valid";
  replace_config(in("run") + "/checkpoint.safetensors", config);
  expect_refused(resume, 1, "expected --evaluate valid");
}

// The configuration, the checkpoint and the log must be of one run.
TEST_F(ResumePrograms, AFolderThatWasChangedIsNoticed) {
  ASSERT_EQ(run("train " + lenet + "--steps 26 --out " + in("run")).code, 0);
  const auto config = in("run") + "/config.json";
  const auto text = read(config);
  const auto change = [&](const char* key, const json& value) {
    auto changed = json::parse(text);
    if (value.is_discarded()) {
      changed.erase(key);
    } else {
      changed[key] = value;
    }
    std::ofstream(config) << changed.dump();
  };
  const auto resume = "train --resume " + in("run");
  change("batch", 32);
  expect_refused(resume, 1, "expected --batch 16");
  change("topology", "server");
  expect_refused(resume, 1, "expected --topology ring");
  change("workers", 2.5);
  expect_refused(resume, 1, "config.json': configuration: workers: expected a whole number");
  change("model", json(json::value_t::discarded));
  expect_refused(resume, 1, "expected a value model");
  change("evaluate", "valid");
  expect_refused(resume, 1, "expected --evaluate test");
  change("evaluate", json(json::value_t::discarded));  // an older version has written it
  EXPECT_EQ(run(resume).code, 0);
  std::ofstream(config) << text;

  fs::resize_file(in("run") + "/log.jsonl", 10);
  const auto o = run(resume + " --steps 30");
  EXPECT_EQ(o.code, 0);
  EXPECT_NE(o.error.find("earlier lines are missing"), std::string::npos) << o.error;

  fs::remove(config);  // the checkpoint of another run would be taken for one of the new run
  expect_refused("train " + lenet + "--steps 4 --out " + in("run"), 1, "holds a run already");
}

TEST_F(ResumePrograms, AScheduleThatKnewAnotherTotalIsNoted) {
  ASSERT_EQ(run("train " + lenet + "--steps 4 --out " + in("run")).code, 0);
  const auto rest = run("train --steps 8 --resume " + in("run"));
  EXPECT_EQ(rest.code, 0);
  EXPECT_NE(rest.error.find("the schedule linear depends on the number of steps"),
            std::string::npos)
      << rest.error;
}

}  // namespace
