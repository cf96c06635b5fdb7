// Workers in processes that mpirun starts on this machine: they give the same bits as threads, and
// failures end the run.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "program_fixture.hpp"
#include "tersegrad/core/simd/isa.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace {

using namespace terse;

using nlohmann::json;

class Mpi : public ProgramFixture {
 protected:
  void SetUp() override {
    if (access(TERSE_MPIRUN, X_OK) != 0) GTEST_SKIP() << TERSE_MPIRUN << " is not there";
    for (const char* name : {"OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM",
                             "OMPI_MCA_rmaps_base_oversubscribe"}) {
      setenv(name, "1", 1);
    }
    setenv("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe", 1);  // OpenMPI 5
    ProgramFixture::SetUp();
  }

  Outcome run_ranks(int ranks, const std::string& program) const {
    return run_shell(mpirun + " -n " + std::to_string(ranks) + " " + bin + program);
  }
  Outcome run_case(int ranks, const std::string& name) const {
    return run_ranks(ranks, "mpi_cases '" + name + "'");
  }

  // The part of a result that does not depend on the transport: all entries except for times, the
  // transport and the number of threads.
  static json lasting(const std::string& out) {
    json result = last_line(out);
    for (const char* key : {"seconds", "samples_per_second", "milliseconds_per_step",
                            "hidden_milliseconds_per_step"}) {
      result.erase(key);
    }
    result["config"].erase("transport");
    result["config"].erase("threads");
    return result;
  }

  void expect_same_as_threads(int workers, const std::string& arguments) const {
    const auto threads = run("train --json --workers " + std::to_string(workers) + arguments);
    const auto processes = run_ranks(workers, "train --json --transport mpi" + arguments);
    ASSERT_EQ(threads.code, 0) << arguments << ": " << threads.error;
    ASSERT_EQ(processes.code, 0) << arguments << ": " << processes.error;
    const json result = lasting(processes.out);
    EXPECT_EQ(result, lasting(threads.out)) << workers << " workers," << arguments;
    EXPECT_EQ(result["bytes_sent"].size(), static_cast<std::size_t>(workers));
    EXPECT_EQ(count_of(processes.out, "ms per step"), 1) << "only worker 0 prints";
  }

  // Expects exactly one error, with this text, within 20 s.
  static void expect_failed(const Outcome& o, int code, const std::string& line) {
    EXPECT_EQ(o.code, code) << o.error;
    EXPECT_EQ(count_of(o.error, line), 1) << o.error;
    EXPECT_EQ(count_of(o.error, "train: ") + count_of(o.error, "mpi_cases: "), 1) << o.error;
    EXPECT_EQ(o.error.find("MPI_ABORT"), std::string::npos) << o.error;
    EXPECT_LT(o.seconds, 20);
  }

  const std::string mpirun = TERSE_MPIRUN;
  const std::string small = tiny + " --batch 10 --steps 8 --schedule constant";
};

TEST_F(Mpi, EveryCompressorGivesTheBitsOfThreads) {
  int number = 0;
  for (const auto& entry : terse::compressor_registry()) {
    const std::string spec = " --compressor " + std::string(entry.example);
    const int workers = 2 + number++ % 3;
    expect_same_as_threads(workers, small + spec);
    expect_same_as_threads(
        workers, small + spec + " --topology server --servers " + std::to_string(1 + number % 2));
  }
}

TEST_F(Mpi, SoDoLargeModelsStatisticsTextAndLocalSteps) {
  const std::string pictures =
      " --data synthetic:size=16,channels=3,train=60,test=20 --batch 5 --steps 4";
  expect_same_as_threads(2, " --model resnet18 --compressor none" + pictures);
  expect_same_as_threads(
      3, " --model resnet20 --compressor powersgd:rank=2+ef --measure density" + pictures);
  expect_same_as_threads(
      2, " --model lstm:layers=1,hidden=8 --data synthetic-text:length=5000 --batch 4 --steps 9");
  expect_same_as_threads(4, small + " --local-steps 3 --compressor topk:ratio=0.1+ef");
  expect_same_as_threads(4, small + " --compressor sign+ef --topology server --servers 4");
  expect_same_as_threads(1, small);
}

TEST_F(Mpi, SoDoBuckets) {
  expect_same_as_threads(4, small + " --bucket-mb 0.001 --compressor none");
  expect_same_as_threads(3, small + " --bucket-mb 0.001 --compressor topk:ratio=0.1+ef");
  expect_same_as_threads(
      2, small + " --bucket-mb 0.001 --compressor powersgd:rank=2+ef --topology server");
}

// With one worker no push is stale, and processes give the same bits as threads. With three
// workers, the order of pushes depends on timing, so the test checks only what holds for every
// order.
TEST_F(Mpi, RankZeroIsTheAsynchronousServer) {
  const std::string async = small + " --topology async --clock real";
  for (const char* spec : {"none", "sign+ef", "topk:ratio=0.1+ef", "qsgd:bits=4"}) {
    const std::string compressor = " --compressor " + std::string(spec);
    const auto threads = run("train --json --workers 1" + async + compressor);
    const auto processes = run_ranks(2, "train --json --transport mpi" + async + compressor);
    ASSERT_EQ(threads.code, 0) << spec << ": " << threads.error;
    ASSERT_EQ(processes.code, 0) << spec << ": " << processes.error;
    EXPECT_EQ(lasting(processes.out), lasting(threads.out)) << spec;

    const auto many = run_ranks(4, "train --json --transport mpi" + async + compressor);
    ASSERT_EQ(many.code, 0) << spec << ": " << many.error;
    const json result = lasting(many.out);
    EXPECT_EQ(result["config"]["workers"], 3) << "one of four is the server";
    EXPECT_EQ(result["updates"], 8) << spec;
    EXPECT_LE(result["max_staleness"], 7) << spec;
    EXPECT_EQ(result["bytes_sent"].size(), 3U) << spec;
    EXPECT_EQ(count_of(many.out, "staleness: mean"), 1) << "only the server prints";
  }
  const std::string train = "train --transport mpi" + small + " --topology async";
  expect_failed(run_ranks(2, train), 2, "use --clock real");
  expect_failed(run_ranks(1, train + " --clock real"), 2, "one of them is the server");
  expect_failed(run_ranks(3, train + " --clock real --workers 3"), 2,
                "the number of processes that mpirun started, without the server; got 3");
  expect_failed(
      run_ranks(3, train + " --clock real --server-rule hogwild --optimizer sgd --lr 0.01"), 2,
      "hogwild: expected workers in one process");
}

TEST_F(Mpi, WorkerZeroWritesTheRunFolder) {
  const auto to = [&](const char* name) { return " --out " + (folder / name).string(); };
  ASSERT_EQ(run("train --workers 3" + small + to("threads")).code, 0);
  ASSERT_EQ(run_ranks(3, "train --transport mpi" + small + to("mpi")).code, 0);
  EXPECT_FALSE(lasting_log(folder / "mpi").empty());
  EXPECT_EQ(lasting_log(folder / "mpi"), lasting_log(folder / "threads"));
  expect_failed(run_ranks(3, "train --transport mpi" + small + to("mpi")), 1,
                "holds a run already");
}

// Worker 0 collects the states of all processes, and every process resumes from its own.
TEST_F(Mpi, ARunThatPausesIsTheSameRun) {
  const auto flags =
      tiny + " --batch 10 --schedule constant --json --compressor topk:ratio=0.1+ef --out ";
  const auto at = [&](const char* name) { return (folder / name).string(); };
  const auto whole = run_ranks(3, "train --transport mpi --steps 24" + flags + at("whole"));
  ASSERT_EQ(whole.code, 0) << whole.error;
  const auto first =
      run_ranks(3, "train --transport mpi --steps 11 --checkpoint-every 1" + flags + at("paused"));
  ASSERT_EQ(first.code, 0) << first.error;
  expect_failed(run_ranks(2, "train --resume " + at("paused")), 2,
                "--resume: expected 3 workers, as the run began; mpirun started 2");
  const auto rest = run_ranks(3, "train --json --steps 24 --resume " + at("paused"));
  ASSERT_EQ(rest.code, 0) << rest.error;
  auto one = lasting(whole.out), other = lasting(rest.out);
  for (auto* result : {&one, &other}) (*result)["config"].erase("checkpoint_every");
  EXPECT_EQ(one, other);
  EXPECT_EQ(lasting_log(at("whole")), lasting_log(at("paused")));
}

TEST_F(Mpi, WrongUsageIsOneLine) {
  const std::string train = "train --transport mpi" + small;
  expect_failed(run_ranks(3, train + " --workers 4"), 2,
                "train: --workers with --transport mpi: expected 3, the number of processes "
                "that mpirun started; got 4");
  expect_failed(run_ranks(3, train + " --compresor none"), 2,
                "train: flag '--compresor' is not known");
  expect_failed(run_ranks(2, train + " --topology local"), 2, "use ring, server or async");
  EXPECT_EQ(run_ranks(2, train + " --workers 2").code, 0);
}

TEST_F(Mpi, ProcessesThatWereToldOtherThingsSayWhichFirst) {
  const auto together = [&](const std::string& first, const std::string& others) {
    const std::string train = bin + "train --transport mpi" + small;
    return run_shell(mpirun + " -n 2 " + train + first + " : -n 1 " + train + others);
  };
  expect_failed(together("", " --seed 2"), 1,
                "workers 0 and 2 have different configurations: seed is 1 and 2");
  expect_failed(together("", " --compressor sign+ef"), 1,
                "compressor is \"none\" and \"sign:scale=l1");
  expect_failed(together("", " --lr 0.25"), 1, "lr is 0.05 and 0.25");
  expect_failed(together("", " --sed 2"), 2, "train: worker 2: flag '--sed' is not known");
  const auto levels = available_isas();
  if (levels.size() > 1) {
    const std::string low(isa_name(levels.front())), high(isa_name(levels.back()));
    expect_failed(together(" --isa " + high, " --isa " + low), 1,
                  "workers 0 and 2 run kernels of different instruction sets, " + high + " and " +
                      low +
                      ", which round differently; start all of them with the lower one by --isa");
  }
  EXPECT_EQ(together("", " --threads 2").code, 0) << "threads change no bit";
}

TEST_F(Mpi, ProcessesThatHaveReadOtherDataSaySo) {
  for (const char* place : {"a", "b"}) {
    fs::create_directories(folder / place);
    std::ofstream text(folder / place / "t.txt");
    for (int i = 0; i < 400; ++i)
      text << (i == 200 && *place == 'b' ? "other" : "same") << " words\n";
  }
  const auto in = [&](const char* place) {
    return "-wdir " + (folder / place).string() + " " + bin +
           "train --transport mpi --model lstm:layers=1,hidden=4 --data text:path=t.txt,seq=5 "
           "--batch 2 --steps 2";
  };
  const auto together = [&](const char* first, const char* second) {
    return run_shell(mpirun + " -n 1 " + in(first) + " : -n 1 " + in(second));
  };
  EXPECT_EQ(together("a", "a").code, 0);
  expect_failed(together("a", "b"), 1, "workers 0 and 1 have read different data: ");
}

TEST_F(Mpi, LargeMessagesArriveWholeAndInOrder) {
  const auto o = run_case(3, "exchange");
  EXPECT_EQ(o.code, 0) << o.error;
  EXPECT_EQ(o.out, "all 3 workers have all\n");
}

TEST_F(Mpi, WaitingCostsNoProcessorTime) {
  const auto o = run_case(2, "idle");
  ASSERT_EQ(o.code, 0) << o.error;
  EXPECT_LT(std::stod(o.out), 0.5) << "of 1.5 seconds";
}

TEST_F(Mpi, AWorkerThatFailsEndsAllWithOneError) {
  for (const int ranks : {2, 4}) {
    expect_failed(run_case(ranks, "throw"), 1, "mpi_cases: worker 1: the disk is full");
  }
  expect_failed(run_case(3, "throw in the middle of large messages"), 2,
                "mpi_cases: worker 2: a flag was wrong");
  expect_failed(run_case(2, "leave"), 1,
                "worker 0 waits for worker 1 (packet up of phase 0, step 7), which has left");
  expect_failed(run_case(2, "another step"), 1,
                "worker 0 got a packet of step 6 from worker 1; expected step 7");
}

TEST_F(Mpi, AWorkerThatComputesIsNoTimeout) {
  const auto o = run_case(3, "compute for longer than the deadline");
  EXPECT_EQ(o.code, 0) << o.error;
  EXPECT_GE(o.seconds, 5);
}

// mpirun forwards SIGTSTP and SIGCONT to all processes of the job. The job is suspended while
// workers 0 and 1 wait for worker 2, for twice the deadline.
TEST_F(Mpi, AJobThatIsSuspendedAndContinuedGoesOn) {
  const std::string log = (folder / "suspended").string();
  const auto o =
      run_shell("bash -c '" + mpirun + " -n 3 " + bin + "mpi_cases \"suspended together\" >" + log +
                " & job=$!; " + "until grep -qs together " + log + "; do sleep 0.05; done; " +
                "kill -TSTP $job; sleep 4; grep -q later " + log + " && exit 3; " +
                "kill -CONT $job; wait $job'");
  EXPECT_EQ(o.code, 0) << o.error << "(3: it was not suspended)";
  EXPECT_EQ(read(log), "together\nlater\n");
}

TEST_F(Mpi, AWorkerThatIsSuspendedAloneIsAborted) {
  const auto o = run_case(2, "suspended alone");
  EXPECT_EQ(o.code, 1) << o.error;
  EXPECT_EQ(count_of(o.error, "timeout: worker 0 waits at the barrier for worker 1"), 1) << o.error;
  EXPECT_LT(o.seconds, 20);
}

TEST_F(Mpi, ALateWorkerIsATimeout) {
  const auto o = run_case(2, "wake after the deadline");
  expect_failed(o, 1, "timeout: worker 0 waits at the barrier for worker 1, for ");
}

TEST_F(Mpi, AStalledWorkerIsAborted) {
  const auto o = run_case(3, "stall");
  EXPECT_EQ(o.code, 1) << o.error;
  // Workers 0 and 2 both wait for worker 1. The error line names the first to give up, or both.
  const int waits = count_of(o.error, " waits for worker 1 (packet up of phase 0, step 7), for ");
  EXPECT_TRUE(waits == 1 || waits == 2) << o.error;
  EXPECT_EQ(count_of(o.error, "timeout: worker "), waits) << o.error;
  EXPECT_EQ(count_of(o.error, "2 s later not every worker has returned: 1\n"), 1) << o.error;
  EXPECT_LT(o.seconds, 20);
}

TEST_F(Mpi, AKilledWorkerEndsAll) {
  const auto o = run_case(3, "kill");
  EXPECT_NE(o.code, 0);
  EXPECT_NE(o.code, 124);
  EXPECT_NE(o.error.find("noticed that process rank 1"), std::string::npos) << o.error;
  EXPECT_NE(o.error.find("signal 9"), std::string::npos) << o.error;
  EXPECT_LT(o.seconds, 20);
}

}  // namespace
