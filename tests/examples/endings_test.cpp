// How runs end: finished, diverged, interrupted, refused or unable to write, and which files they
// leave.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "program_fixture.hpp"

namespace {

using nlohmann::json;

class Endings : public ProgramFixture {
 protected:
  // Runs a bash script. $BIN is the folder of the programs and $T the folder of this test.
  Outcome script(const std::string& text) const {
    const fs::path file = folder / "script";
    std::ofstream(file) << "BIN=" << bin << "\nT=" << folder.string() << "\n" << text;
    return run_shell("bash " + file.string());
  }
  std::string at(const char* name) const { return (folder / name).string(); }

  // A shell function that waits until a file contains a text.
  const std::string until =
      "until_has() { until grep -q \"$2\" \"$1\" 2>/dev/null; do sleep 0.02; done; }\n";
};

// ---- a healthy run is not ended -----------------------------------------------------------------

TEST_F(Endings, ATurnMayLastLongerThanTheDeadline) {
  const auto o = run("train --topology local --deadline 0.001 --steps 3" + small);
  EXPECT_EQ(o.code, 0) << o.error;
}

TEST_F(Endings, SoMayTheWorkOfAWorkerThatOthersWaitFor) {
  const auto o = run("train --deadline 0.01 --steps 20 --json" + small);
  EXPECT_EQ(o.code, 0) << o.error;
  EXPECT_EQ(last_line(o.out)["config"]["deadline_seconds"], 0.01);
  expect_refused("train --deadline -1" + small, 2, "--deadline: expected 0 to 1e9 seconds");
}

TEST_F(Endings, ARunThatDivergesIsARowAndTheOthersGoOn) {
  const std::string compare =
      "compare --steps 60 --schedule constant --json" + small + " --optimizer sgd --lr 9e5";
  const auto o = run(compare + " --method none --method vote --out " + at("c"));
  ASSERT_EQ(o.code, 0) << o.error;
  EXPECT_NE(o.out.find("none                  diverged at step "), std::string::npos) << o.out;
  const auto runs = last_line(o.out)["runs"];
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_EQ(runs[0]["failure"].get<std::string>().rfind("diverged at step ", 0), 0U);
  EXPECT_TRUE(runs[1].contains("test_accuracy"));
  EXPECT_NE(read(folder / "c" / "compare.csv").find(",\"diverged at step "), std::string::npos);

  const auto all = run(compare + " --method none --out " + at("all"));
  EXPECT_EQ(all.code, 1);
  EXPECT_NE(all.error.find("no run has a result; the first run diverged at step"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(folder / "all"));
}

TEST_F(Endings, AnInterruptedComparisonKeepsWhatIsFinished) {
  const auto o = script(until + "\"$BIN\"compare --steps 1500 --json" + small +
                        " --method none --method sign+ef --method topk:ratio=0.01+ef "
                        "--method qsgd:bits=4 --out $T/c >$T/table 2>$T/notes & p=$!\n"
                        "until_has $T/notes '^topk'\nkill -INT $p\nwait $p");
  EXPECT_EQ(o.code, 130) << read(folder / "notes");
  const auto runs = last_line(read(folder / "table"))["runs"];
  ASSERT_GE(runs.size(), 2U);
  EXPECT_LT(runs.size(), 4U);
  EXPECT_EQ(runs[0]["method"], "none");
  EXPECT_EQ(runs[0]["steps"], 1500);
  EXPECT_EQ(json::parse(read(folder / "c" / "compare.json"))["runs"], runs);
  EXPECT_NE(read(folder / "notes").find("compare: interrupted by SIGINT"), std::string::npos);
}

TEST_F(Endings, AnInterruptedRunSaysSoInItsLog) {
  const auto o = script(until + "\"$BIN\"train --steps 1000000 --schedule constant" + small +
                        " --out $T/run 2>$T/notes & p=$!\n"
                        "until_has $T/run/log.jsonl 'loss'\nkill -TERM $p\nwait $p");
  EXPECT_EQ(o.code, 143) << read(folder / "notes");
  EXPECT_EQ(last_line(read(folder / "run" / "log.jsonl"))["interrupted"], "interrupted by SIGTERM");
}

TEST_F(Endings, AnInterruptedSweepShowsItsCellsAndGoesOn) {
  const std::string sweep =
      "byzantine --workers 3 --attack sign-flip --method mean --method median --steps 40 "
      "--batch 5 --json" +
      tiny;
  const auto o = script(until + "\"$BIN\"" + sweep +
                        " --out $T/sweep >$T/table 2>$T/notes & p=$!\n"
                        "until_has $T/notes 'mean.*Byzantine 1'\nkill -INT $p\nwait $p");
  EXPECT_EQ(o.code, 130) << read(folder / "notes");
  const auto cells = last_line(read(folder / "table"))["cells"];
  EXPECT_GE(cells.size(), 2U);
  const auto whole = run(sweep + " --out " + at("sweep"));
  ASSERT_EQ(whole.code, 0) << whole.error;
  const auto all = last_line(whole.out)["cells"];
  EXPECT_EQ(all.size(), 6U);
  for (std::size_t i = 0; i < cells.size(); ++i) EXPECT_EQ(all[i], cells[i]);
}

// OpenBLAS starts threads when a program is loaded, and each thread retries the allocation of 128
// MiB endlessly.
TEST_F(Endings, AProgramEndsWhereverMemoryIsLimited) {
  for (const char* program : {"explain sign", "train --steps 2 --threads 1"}) {
    for (const int megabytes : {100, 120, 150, 200, 250, 300, 500}) {
      const auto o = script("ulimit -v " + std::to_string(megabytes * 1000) +
                            "; timeout --signal=KILL 20 \"$BIN\"" + program +
                            (program[0] == 't' ? small : ""));
      const std::string where = program + (" in " + std::to_string(megabytes)) + " MB: " + o.error;
      // 127: the system could not load the program.
      EXPECT_TRUE(o.code == 0 || o.code == 1 || o.code == 127) << o.code << " " << where;
      if (o.code == 0) continue;
      EXPECT_EQ(count_of(o.error, "\n"), 1) << where;
    }
  }
}

TEST_F(Endings, WhereMemoryOrThreadsEndOneLineSaysSo) {
  // OpenBLAS would retry the allocation of its buffer endlessly.
  const auto memory = script(
      "ulimit -v 300000; timeout 30 \"$BIN\"train --steps 2 --compressor "
      "svd:rank=2" +
      small);
  EXPECT_EQ(memory.code, 1) << memory.error;
  EXPECT_NE(memory.error.find("OpenBLAS needs a buffer of 128 MiB"), std::string::npos)
      << memory.error;
  EXPECT_EQ(count_of(memory.error, "\n"), 1) << memory.error;
  const auto threads = script(
      "ulimit -v 2500000; timeout 30 \"$BIN\"train --workers 1000 --batch "
      "1 --steps 2 --data synthetic:size=4,train=1000,test=100 --model "
      "mlp:hidden=2");
  EXPECT_EQ(threads.code, 1) << threads.error;
  EXPECT_NE(threads.error.find("cannot start a thread for"), std::string::npos) << threads.error;
  const auto large = script(
      "ulimit -v 1000000; timeout 30 \"$BIN\"train --model resnet18 --steps 1 "
      "--workers 1 --topology local --batch 512 --data "
      "synthetic:size=32,channels=3,train=512,test=10");
  EXPECT_EQ(large.code, 1) << large.error;
  EXPECT_NE(large.error.find("bytes: Cannot allocate memory"), std::string::npos) << large.error;
}

// ---- results are kept ---------------------------------------------------------------------------

TEST_F(Endings, OutputThatCannotBeWrittenIsAFailure) {
  for (const char* program : {"train --steps 2", "compare --method none --steps 2 --out $T/c"}) {
    const auto o = script("\"$BIN\"" + std::string(program) + small + " >/dev/full");
    EXPECT_EQ(o.code, 1) << program;
    EXPECT_NE(o.error.find("standard output: cannot be written: No space left on device"),
              std::string::npos)
        << o.error;
  }
  EXPECT_TRUE(fs::exists(folder / "c" / "compare.json")) << "files are written all the same";
  EXPECT_EQ(script("\"$BIN\"bytes --shapes 8x8 --method none >/dev/full").code, 1);
  EXPECT_EQ(script("\"$BIN\"explain sign >/dev/full").code, 1);
}

TEST_F(Endings, AClosedPipeLosesNoRunFolder) {
  const auto o =
      script("{ \"$BIN\"train --steps 30 --out $T/run" + small + "; echo $? >$T/code; } | true");
  EXPECT_EQ(read(folder / "code"), "1\n");
  EXPECT_EQ(last_line(read(folder / "run" / "log.jsonl"))["step"], 30);
}

TEST_F(Endings, NotesThatCannotBeWrittenAreDropped) {
  EXPECT_EQ(script("\"$BIN\"train --steps 2" + small + " 2>/dev/full").code, 0);
  EXPECT_EQ(script("\"$BIN\"train --steps 2" + small + " 2>&-").code, 0);
  EXPECT_EQ(script("\"$BIN\"train --steps 0" + small + " --epochs 0 2>&-").code, 2);
}

TEST_F(Endings, AFileThatMayNotGrowIsAnErrorThatNamesIt) {
  const auto o = script("ulimit -f 1; \"$BIN\"train --steps 5000 --schedule constant" + small +
                        " --out $T/run >/dev/null");
  EXPECT_EQ(o.code, 1);
  EXPECT_NE(o.error.find("'" + at("run") + "/"), std::string::npos) << o.error;
  EXPECT_NE(o.error.find("File too large"), std::string::npos) << o.error;
}

TEST_F(Endings, TwoProcessesNeverWriteToOneFolder) {
  const auto o = script(until + "\"$BIN\"train --steps 1000000 --schedule constant" + small +
                        " --out $T/run 2>/dev/null & p=$!\nuntil_has $T/run/log.jsonl loss\n"
                        "\"$BIN\"train --steps 1" +
                        small +
                        " --out $T/run\n"
                        "code=$?\nkill -KILL $p\nwait $p 2>/dev/null\nexit $code");
  EXPECT_EQ(o.code, 1);
  EXPECT_NE(o.error.find("folder '" + at("run") + "': another process is writing to it"),
            std::string::npos)
      << o.error;
}

TEST_F(Endings, AComparisonIsReplacedOnlyByForce) {
  const std::string compare = "compare --method none --steps 2 --out " + at("c") + small;
  ASSERT_EQ(run(compare).code, 0);
  const auto before = read(folder / "c" / "compare.json");
  expect_refused(compare, 1, "holds a comparison already; name another folder, or use --force");
  EXPECT_EQ(read(folder / "c" / "compare.json"), before);
  ASSERT_EQ(run(compare + " --seed 2 --force").code, 0);
  EXPECT_NE(read(folder / "c" / "compare.json"), before);
}

TEST_F(Endings, WithoutAFolderEachComparisonGetsItsOwn) {
  const std::string compare = "\"$BIN\"compare --method none --steps 2" + small;
  const auto o = script("cd $T\n" + compare + "\n" + compare);
  ASSERT_EQ(o.code, 0) << o.error;
  EXPECT_TRUE(fs::exists(folder / "runs" / "compare-1" / "compare.json"));
  EXPECT_TRUE(fs::exists(folder / "runs" / "compare-2" / "compare.json"));
}

TEST_F(Endings, ARunThatFailsBeforeItsFirstStepLeavesNoFolder) {
  const std::string train = "train --steps 2 --out " + at("run") + tiny + " --workers 2";
  EXPECT_EQ(run(train + " --batch 1000").code, 2);
  EXPECT_FALSE(fs::exists(folder / "run"));
  EXPECT_EQ(run(train + " --batch 10").code, 0);
  EXPECT_TRUE(fs::exists(folder / "run" / "log.jsonl"));
}

// ---- nothing is silently wrong ------------------------------------------------------------------

TEST_F(Endings, SkippedStepsAreShown) {
  const auto o = run("train --attack nan:at=3 --non-finite skip_step --steps 25 --json --out " +
                     at("run") + small);
  ASSERT_EQ(o.code, 0) << o.error;
  EXPECT_EQ(last_line(o.out)["skipped_steps"], 1);
  EXPECT_NE(o.out.find("skipped: 1 of 25 steps"), std::string::npos) << o.out;
  EXPECT_NE(read(folder / "run" / "log.jsonl").find("\"skipped_steps\":1"), std::string::npos);
  expect_refused("train --attack nan --non-finite skip_step --max-skipped 5 --steps 25" + small, 1,
                 "the last 5 steps, up to step 5, were skipped");
}

TEST_F(Endings, AModelThatHasDivergedIsAFailure) {
  const auto o =
      run("train --optimizer sgd --lr 9e5 --non-finite zero --steps 60 --schedule "
          "constant --json" +
          small);
  EXPECT_EQ(o.code, 1);
  EXPECT_NE(o.error.find("the model has diverged"), std::string::npos) << o.error;
  EXPECT_NE(o.out.find("nan"), std::string::npos) << o.out;
  EXPECT_EQ(o.out.find("-nan"), std::string::npos) << o.out;
  EXPECT_TRUE(last_line(o.out)["test_loss"].is_null()) << o.out;
}

TEST_F(Endings, NumbersAreDecimalAndWithinTheirRange) {
  const auto o = run("train --workers 010 --batch 2 --steps 1 --json" + tiny);
  ASSERT_EQ(o.code, 0) << o.error;
  EXPECT_EQ(last_line(o.out)["config"]["workers"], 10);
  for (const char* seed : {"-1", "18446744073709551616", "0x10", "1e3", "", "3.5"}) {
    expect_refused("train --steps 1 --seed '" + std::string(seed) + "'" + small, 2,
                   "--seed: expected a whole number from 0 to 18446744073709551615; got");
  }
}

TEST_F(Endings, ARunOfOneStepReportsItsTimeAndItsRate) {
  const auto o = run("train --steps 1 --json --lr 0.25 --out " + at("run") + small);
  ASSERT_EQ(o.code, 0) << o.error;
  EXPECT_GT(last_line(o.out)["milliseconds_per_step"]["compute"], 0);
  EXPECT_GT(last_line(o.out)["samples_per_second"], 0);
  EXPECT_EQ(json::parse(read(folder / "run" / "log.jsonl")
                            .substr(0, read(folder / "run" / "log.jsonl").find('\n')))["lr"],
            0.25);
}

TEST_F(Endings, NamesThatAreNotUtf8BreakNoJson) {
  const auto o = script("\"$BIN\"train --steps 1 --json --out $T/$'caf\\xe9'" + small);
  ASSERT_EQ(o.code, 0) << o.error;
  EXPECT_TRUE(last_line(o.out).is_object());
}

TEST_F(Endings, ProcessesThatDoNotKnowOfEachOtherAreTold) {
  const std::string launched = "OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=";
  EXPECT_NE(script(launched + "0 \"$BIN\"train --steps 1" + small)
                .error.find("2 processes were started, and each is about to do the same run"),
            std::string::npos);
  EXPECT_EQ(script(launched + "1 \"$BIN\"train --steps 1" + small).error.find("processes"),
            std::string::npos);
}

TEST_F(Endings, ErrorsNameTheFlagThatWasTyped) {
  for (const char* flag :
       {"--model", "--data", "--topology", "--all-reduce", "--compressor", "--aggregate",
        "--optimizer", "--schedule", "--partition", "--non-finite", "--on-failure", "--attack",
        "--network", "--outer", "--measure"}) {
    const std::string text = flag;
    const bool own = text == "--model" || text == "--data";
    expect_refused("train --steps 1 " + text + " foo" + (own ? "" : tiny), 2,
                   "train: " + text + ": ");
  }
  expect_refused("train --steps 1 --optimizer rprop --weight-decay-on matrices" + small, 2,
                 "train: --weight-decay-on: ");
  for (const char* program :
       {"compare", "bytes --shapes 8x8", "step_time --shapes 8x8", "advise --shapes 8x8"}) {
    expect_refused(std::string(program) + " --method foo", 2, ": --method: compressor 'foo'");
  }
  expect_refused("explain sign --shape 4x", 2, "--shape: ");
  expect_refused("bytes --shapes 4x", 2, "--shapes: ");
}

TEST_F(Endings, OptionsOfNoneAreExplained) {
  expect_refused("train --attack none:workers=1 --steps 1" + small, 2,
                 "attack 'none' takes no options");
}

}  // namespace
