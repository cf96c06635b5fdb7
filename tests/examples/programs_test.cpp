// The programs as a user runs them.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "optim/compressor.hpp"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Outcome {
  int code;
  std::string out, error;
};

class Programs : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder); }
  void TearDown() override { fs::remove_all(folder); }

  Outcome run(const std::string& command) const {
    const std::string whole = std::string(TERSE_BINARY_DIR) + "/bin/" + command + " >" +
                              (folder / "out").string() + " 2>" + (folder / "error").string() +
                              " </dev/null";
    const int status = std::system(whole.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read(folder / "out"),
            read(folder / "error")};
  }
  static std::string read(const fs::path& file) {
    std::ifstream in(file);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  static json last_line(const std::string& text) {
    const auto end = text.find_last_not_of('\n');
    const auto begin = text.rfind('\n', end);
    return json::parse(text.substr(begin + 1));
  }
  // One line on standard error with this text, this exit code, and nothing on standard output.
  void expect_refused(const std::string& command, int code, const std::string& text) const {
    const auto o = run(command);
    EXPECT_EQ(o.code, code) << command << ": " << o.error;
    EXPECT_NE(o.error.find(text), std::string::npos) << command << ": " << o.error;
    EXPECT_EQ(std::count(o.error.begin(), o.error.end(), '\n'), 1) << command << ": " << o.error;
    EXPECT_EQ(o.out, "") << command;
  }

  const fs::path folder =
      fs::temp_directory_path() / ("terse_programs_" + std::to_string(getpid()));
  const std::string small =
      " --data synthetic:size=14,train=400,test=100 --model mlp:hidden=16 "
      "--workers 2 --batch 10 ";
};

TEST_F(Programs, TrainPrintsTheAgreedKeys) {
  const auto o = run("train" + small + "--epochs 1 --compressor sign+ef --json");
  ASSERT_EQ(o.code, 0) << o.error;
  const json result = last_line(o.out);
  for (const char* key :
       {"test_accuracy", "train_loss", "steps", "message_bytes", "bytes_sent_per_worker",
        "bytes_uncompressed", "seconds", "virtual_seconds", "samples_per_second", "config"}) {
    EXPECT_TRUE(result.contains(key)) << key;
  }
  EXPECT_EQ(result["steps"], 20);
  EXPECT_EQ(result["config"]["compressor"], "sign+ef:target=local,lr=outside");
  EXPECT_GT(result["samples_per_second"], 0);
  EXPECT_LT(result["bytes_sent_per_worker"], result["bytes_uncompressed"]);
}

TEST_F(Programs, ARunFolderRepeatsWithTheSeed) {
  const auto log_without_time = [&](const std::string& name, const std::string& more) {
    const auto o = run("train" + small + "--epochs 4 --compressor topk:ratio=0.1+ef --out " +
                       (folder / name).string() + more);
    EXPECT_EQ(o.code, 0) << o.error;
    std::string all;
    std::istringstream lines(read(folder / name / "log.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      auto entry = json::parse(line);
      entry.erase("time");
      all += entry.dump() + "\n";
    }
    return all;
  };
  const auto first = log_without_time("a", " --threads 1");
  EXPECT_GT(std::count(first.begin(), first.end(), '\n'), 5);
  EXPECT_EQ(first, log_without_time("b", " --threads 2"));
  EXPECT_NE(first, log_without_time("c", " --seed 2"));
  const json config = json::parse(read(folder / "a" / "config.json"));
  EXPECT_EQ(config["compressor"],
            "topk:ratio=0.1,warmup=0,scope=tensor+ef:target=local,lr=outside");
  EXPECT_FALSE(fs::exists(folder / "a" / "config.json.tmp"));
}

TEST_F(Programs, NothingIsOverwritten) {
  const std::string out = (folder / "run").string();
  EXPECT_EQ(run("train" + small + "--steps 2 --out " + out).code, 0);
  const auto before = read(folder / "run" / "log.jsonl");
  expect_refused("train" + small + "--steps 2 --out " + out, 1, "holds a run already");
  EXPECT_EQ(read(folder / "run" / "log.jsonl"), before);
}

TEST_F(Programs, BadUsageIsOneLineThatSaysWhatWouldBeRight) {
  expect_refused("train --workers 0", 2,
                 "--workers: a whole number from 1 to 1024 is wanted; got 0");
  expect_refused("train --compressor topk:ratio=2", 2, "ratio must be a number");
  expect_refused("train --compressor powrsgd", 2, "did you mean powersgd?");
  expect_refused("train --comprssor none", 2, "did you mean --compressor?");
  expect_refused("train --workers many", 2, "--workers");
  expect_refused("train --model lenett", 2, "did you mean lenet?");
  expect_refused("train --data fasion-mnist", 2, "did you mean fashion-mnist?");
  expect_refused("train --topology rink", 2, "did you mean ring?");
  expect_refused("train --transport thread", 2, "did you mean threads?");
  expect_refused("train --topology server --servers 9", 2, "--servers");
  expect_refused("train --optimizer sdg", 2, "did you mean sgd?");
  expect_refused("train --schedule cosin", 2, "did you mean cosine?");
  expect_refused("train --lr 0", 2, "--lr");
  expect_refused("train --epochs 0", 2, "--epochs");
  expect_refused("train --non-finite hope", 2, "abort");
  expect_refused("train --local-steps -1", 2, "--local-steps: a whole number from 0");
  expect_refused("train --local-after 5", 2, "go with --local-steps");
  expect_refused("train --outer-lr 0.7", 2, "go with --local-steps");
  expect_refused("train --local-steps 4 --outer-lr 0", 2, "--outer-lr");
  expect_refused("train --local-steps 4 --outer sdg", 2, "did you mean sgd?");
  expect_refused("train --local-steps 4 --compressor vote", 2, "not how far");
  expect_refused("train --all-reduce rign", 2, "did you mean ring?");
  expect_refused("train --topology server --all-reduce tree", 2, "only the topology ring");
  expect_refused("train --aggregate medain", 2, "did you mean median?");
  expect_refused("train --aggregate median", 2, "take topology server");
  expect_refused("train --aggregate trimmed:f=2 --topology server", 2, "more than 4 workers");
  expect_refused("train --aggregate krum --topology async", 2, "pushes are applied one by one");
  expect_refused("train --network 10Gb", 2, "a rate such as 10Gbps");
  expect_refused("train --network 10gbe --topology local", 2, "sends no messages");
  expect_refused("train --network 10gbe,slow=4:2 --workers 4", 2, "workers are 0 to 3");
  expect_refused("train --network 10gbe --compute 5", 2, "a time such as 5ms");
  expect_refused("train --compute 5ms", 2, "goes with --network");
  expect_refused("train --measure densty", 2, "did you mean density?");
  expect_refused("train --data synthetic:train=400 --batch 100 --measure density", 2,
                 "two batches");
  expect_refused("train" + small + "--partition by-labl", 2, "did you mean by-label?");
  expect_refused("train --data synthetic:train=400 --batch 100000", 2, "400");
  expect_refused("compare --method none --method tokp", 2, "did you mean topk?");
  expect_refused("bytes --shapes 3x-1", 2, "--shapes");
  expect_refused("explain sign --shape 1,2", 2, "--shape");
  expect_refused("rosenbrock --batch -1", 2, "--batch: a whole number from 0");
  expect_refused("rosenbrock --steps 3", 2, "--steps: a whole number from 8");
  expect_refused("rosenbrock --noise -1", 2, "--noise: a number from 0");
  expect_refused("rosenbrock --lr 0", 2, "--lr: a number above 0");
  expect_refused("rosenbrock --voters 3", 2, "--voters");
  expect_refused("descend --problem valley", 2, "quadratics or median is wanted; got 'valley'");
  expect_refused("descend --method vot", 2, "did you mean vote?");
}

TEST_F(Programs, ModelsAndDataMustFit) {
  expect_refused("train --model lstm", 2, "--model lstm: it reads text");
  expect_refused("train --model lenet --data synthetic-text", 2, "try --model lstm");
  expect_refused("train --model lstm --data synthetic-text:length=9000,seq=500", 2,
                 "seq must leave each of workers x batch columns one step");
  expect_refused("train --model lstm --data synthetic-text --partition shared", 2,
                 "only iid is possible");
  expect_refused("train --model lstm --data text:/nowhere", 1, "/nowhere");
  expect_refused("train --model lstm:hidden=8,embedding=4,tied --data synthetic-text", 2,
                 "embedding equal to hidden");
  fs::create_directories(folder / "pictures" / "cats");
  expect_refused("train --data images:path=" + (folder / "pictures").string(), 1, "cats");
  for (const char* name : {"cat.png", "tom.png"}) {
    std::ofstream(folder / "pictures" / "cats" / name) << "meow";
  }
  expect_refused("train --data images:test=0.5,path=" + (folder / "pictures").string(), 1, ".png");
}

TEST_F(Programs, TrainReportsPerplexityOfText) {
  const auto o =
      run("train --model lstm:layers=1,hidden=8 --data synthetic-text:length=5000 "
          "--workers 2 --batch 4 --steps 5 --json");
  ASSERT_EQ(o.code, 0) << o.error;
  const auto result = last_line(o.out);
  EXPECT_GT(result["perplexity"], 1);
  EXPECT_FALSE(result.contains("test_accuracy"));
  EXPECT_NE(o.out.find("perplexity"), std::string::npos);
  EXPECT_NE(o.out.find("tokens/s"), std::string::npos);
}

TEST_F(Programs, DescribePrintsLayersIn80Columns) {
  const std::string images = " --data synthetic:size=32,channels=3,train=100,test=10 --describe";
  const auto o = run("train --model resnet18" + images);
  ASSERT_EQ(o.code, 0) << o.error;
  EXPECT_NE(o.out.find("11173962 parameters in 62 tensors"), std::string::npos);
  std::istringstream lines(o.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  const auto text = run("train --model lstm --data synthetic-text --describe");
  ASSERT_EQ(text.code, 0) << text.error;
  EXPECT_NE(text.out.find("Lstm(200, 200"), std::string::npos) << text.out;
}

TEST_F(Programs, TrainReportsTheTimeInAModelledNetwork) {
  const std::string network = "--steps 6 --network 1gbe,jitter=10us --compute 5ms --json ";
  const auto o = run("train" + small + network + "--out " + (folder / "run").string());
  ASSERT_EQ(o.code, 0) << o.error;
  const auto result = last_line(o.out);
  EXPECT_GT(result["virtual_seconds"], 6 * 0.005);
  EXPECT_LT(result["virtual_seconds"], 6 * 0.010);
  EXPECT_NEAR(result["virtual_milliseconds_per_step"]["compute"], 5, 1e-9);
  EXPECT_EQ(result["config"]["network"], "1Gbps,50us,jitter=10us");
  EXPECT_EQ(result["config"]["compute"], "5ms");
  EXPECT_NE(o.out.find("in the modelled network 1Gbps,50us,jitter=10us: "), std::string::npos);
  EXPECT_NE(read(folder / "run" / "log.jsonl").find("virtual_seconds"), std::string::npos);
  const auto again = last_line(run("train" + small + network).out);
  EXPECT_EQ(again["virtual_seconds"], result["virtual_seconds"]);
  EXPECT_EQ(again["virtual_milliseconds_per_step"], result["virtual_milliseconds_per_step"]);
  EXPECT_EQ(again["model_hash"], result["model_hash"]);
  EXPECT_EQ(last_line(run("train" + small + "--steps 6 --json").out)["model_hash"],
            result["model_hash"]);
}

TEST_F(Programs, StepTimeGrowsWithGatheredPacketsAndFallsWithBandwidth) {
  const auto o =
      run("step_time --shapes 256x256 --workers 2 --workers 8 --compute 5ms --method none "
          "--method topk:ratio=0.01+ef --network 100mbps --network 10gbe --steps 1 --json");
  ASSERT_EQ(o.code, 0) << o.error;
  std::istringstream lines(o.out.substr(0, o.out.rfind('{', o.out.find("\"compute\""))));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  const auto times = last_line(o.out)["times"];
  ASSERT_EQ(times.size(), 8U);
  const auto exchange = [&](int i) { return times[i]["exchange_ms"].get<double>(); };
  EXPECT_EQ(times[0]["network"], "100Mbps,100us");
  EXPECT_EQ(times[2]["method"], "topk:ratio=0.01+ef");
  // 256 KiB at 12.5 MB/s: 21 ms for 2 workers, 7/4 of it for 8, and less than 1 ms at 10 Gbit/s.
  EXPECT_GT(exchange(0), 20);
  EXPECT_GT(exchange(1), 1.7 * 20);
  EXPECT_GT(exchange(3), 3 * exchange(2));
  EXPECT_LT(exchange(4), exchange(0));
  expect_refused("step_time --network local", 2, "a rate such as 10Gbps");
  expect_refused("step_time --steps 0", 2, "--steps: 1 to 1000");
}

TEST_F(Programs, AdviseSaysWhereAMethodPays) {
  const auto o = run("advise --shapes 256x256,256 --method vote:beta=0.9 --steps 1 --json --out " +
                     (folder / "advice").string());
  ASSERT_EQ(o.code, 0) << o.error;
  const auto methods = last_line(o.out)["methods"];
  ASSERT_EQ(methods.size(), 2U);
  EXPECT_EQ(methods[0]["method"], "none");
  EXPECT_EQ(methods[1]["measured"]["message_bytes"], (256 * 256 + 256) / 8);
  EXPECT_EQ(methods[1]["computed"]["steps"].size(), 50U);
  EXPECT_NE(o.out.find("Computed: the rest"), std::string::npos);
  EXPECT_NE(read(folder / "advice" / "advice.svg").find("</svg>"), std::string::npos);
  EXPECT_EQ(json::parse(read(folder / "advice" / "advice.json")), last_line(o.out));
  expect_refused("advise --workers 1", 2, "at least 2 exchange something");
  expect_refused("advise --latency soon", 2, "a time such as 5ms");
}

TEST_F(Programs, WhatComesLaterIsRefused) {
  expect_refused("train --resume x", 2, "not available yet");
}

TEST_F(Programs, TrainGoesOnWithoutAWorkerThatDies) {
  const std::string dying = "train" + small + "--steps 4 --attack die:at=2 ";
  expect_refused(dying, 1, "attack: worker 1 dies at step 2");
  const auto out = folder / "dying";
  const auto o = run(dying + "--on-failure continue --json --out " + out.string());
  ASSERT_EQ(o.code, 0) << o.error;
  const json lost = {{"worker", 1}, {"step", 2}, {"error", "attack: worker 1 dies at step 2"}};
  EXPECT_NE(o.error.find("worker 1 is lost at step 2 (attack: worker 1 dies at step 2); the others "
                         "go on\n"),
            std::string::npos)
      << o.error;
  const auto result = last_line(o.out);
  EXPECT_EQ(result["dropped_workers"], json::array({lost}));
  EXPECT_EQ(result["config"]["attack"], "die:workers=1,at=2");
  EXPECT_EQ(result["config"]["on_failure"], "continue");
  EXPECT_EQ(json::parse(read(out / "config.json"))["attack"], "die:workers=1,at=2");
  EXPECT_NE(read(out / "log.jsonl").find(json{{"dropped", lost}}.dump()), std::string::npos);
}

TEST_F(Programs, TrainWithAnAsynchronousServer) {
  const std::string async = "train" + small + "--topology async --epochs 2 --json ";
  for (const char* more :
       {"--clock virtual", "--clock real", "--clock real --server-rule hogwild"}) {
    const auto o = run(async + more);
    ASSERT_EQ(o.code, 0) << o.error;
    const json result = last_line(o.out);
    EXPECT_EQ(result["updates"], 80);  // 400 images, 10 a push, twice
    EXPECT_EQ(result["steps"], 80);
    EXPECT_EQ(result["virtual_seconds"].is_null(), std::string(more) != "--clock virtual");
    double pushes = 0, sum = 0;
    for (const auto& pair : result["staleness_histogram"]) {
      pushes += pair[1].get<double>();
      sum += pair[0].get<double>() * pair[1].get<double>();
    }
    EXPECT_EQ(pushes, 80);
    EXPECT_NEAR(sum / pushes, result["mean_staleness"].get<double>(), 1e-9);
    EXPECT_NE(o.out.find("staleness: mean"), std::string::npos);
  }
  const auto a = last_line(run(async + "--compressor sign+ef").out);
  const auto b = last_line(run(async + "--compressor sign+ef --threads 1").out);
  EXPECT_EQ(a["state_hash"], b["state_hash"]);
  EXPECT_EQ(a["staleness_histogram"], b["staleness_histogram"]);

  run("train" + small + "--topology async --epochs 2 --out " + (folder / "log").string());
  std::istringstream lines(read(folder / "log" / "log.jsonl"));
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_TRUE(json::parse(line).contains("mean_staleness")) << line;
}

TEST_F(Programs, StalenessSweepsAndGoesOnWhereItWasStopped) {
  const std::string out = (folder / "sweep").string();
  const std::string with =
      "staleness --data synthetic:size=14,train=400,test=100 --model mlp:hidden=16 --batch 10 "
      "--workers 1,32 --method asynchronous --method 'top 1 %, memory' --low -6 --high 12 "
      "--seeds 2 --json --out " +
      out;
  const std::string sweep = with + " --epochs 4";
  const auto first = run(sweep);
  ASSERT_EQ(first.code, 0) << first.error;
  const json result = last_line(first.out);
  ASSERT_EQ(result["cells"].size(), 4U);
  for (const auto& cell : result["cells"]) {
    EXPECT_TRUE(cell["learned"]);
    EXPECT_GE(cell["largest_stable_rate"], cell["best_rate"]);
    EXPECT_GT(cell["test_accuracy"], 0.3);
    EXPECT_EQ(cell["mean_staleness"] == 0, cell["workers"] == 1);
  }
  // Staleness costs rate: each row's first cell is of one worker, its second of 32.
  EXPECT_GT(result["cells"][0]["largest_stable_rate"], result["cells"][2]["largest_stable_rate"]);
  EXPECT_LT(result["cells"][0]["largest_stable_rate"], 4096);
  std::istringstream lines(first.out.substr(0, first.out.find("\n{")));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  EXPECT_NE(read(folder / "sweep" / "staleness.svg").find("</svg>"), std::string::npos);
  EXPECT_EQ(json::parse(read(folder / "sweep" / "staleness.json")), result);

  // Half of its runs, and half of a line: the rest is run again, to the same end.
  const auto all = read(folder / "sweep" / "runs.jsonl");
  std::ofstream(folder / "sweep" / "runs.jsonl") << all.substr(0, all.size() / 2);
  const auto second = run(sweep);
  ASSERT_EQ(second.code, 0) << second.error;
  EXPECT_EQ(second.out, first.out);
  EXPECT_LT(second.error.size(), first.error.size());
  EXPECT_GT(second.error.size(), 0U);
  EXPECT_EQ(run(sweep).error, "");

  expect_refused(with + " --epochs 3", 1, "runs of another sweep");
  expect_refused("staleness --workers 1,x --out " + out, 2, "with commas between");
  expect_refused("staleness --method top --out " + out, 2, "'top' is not known");
  expect_refused("staleness --low 3 --out " + out, 2, "ascending");
}

TEST_F(Programs, ByzantineTellsWhoBearsHowManyLiars) {
  const std::string out = (folder / "liars").string();
  const std::string with =
      "byzantine --data synthetic:size=14,train=400,test=100 --model mlp:hidden=16 "
      "--attack scale:factor=-10 --json --out " +
      out;
  const std::string sweep = with + " --steps 40 --workers 7";
  const auto first = run(sweep);
  ASSERT_EQ(first.code, 0) << first.error;
  const json result = last_line(first.out);
  ASSERT_EQ(result["cells"].size(), 25U);
  std::map<std::string, std::vector<double>> accuracy;
  for (const auto& cell : result["cells"]) {
    auto& row = accuracy[cell["method"]];
    EXPECT_EQ(cell["liars"], row.size());
    row.push_back(cell["test_accuracy"]);
  }
  EXPECT_EQ(result["cells"][18]["aggregate"], "trimmed:f=3");
  EXPECT_EQ(result["cells"][19]["aggregate"], "trimmed:f=3");  // of four: no more can be trimmed
  EXPECT_EQ(result["cells"][22]["aggregate"], "krum:f=2");
  for (const auto& [method, row] : accuracy) EXPECT_GT(row[0], 0.5) << method;
  EXPECT_LT(accuracy["mean"][1], 0.2);
  for (const auto* method : {"vote", "median", "trimmed", "krum"}) {
    EXPECT_GT(accuracy[method][1], 0.4) << method;
    EXPECT_GT(accuracy[method][2], 0.4) << method;
  }
  for (const auto* method : {"vote", "median", "trimmed"}) {
    EXPECT_LT(accuracy[method][4], 0.2) << method;
  }
  EXPECT_EQ(accuracy["trimmed"][3], accuracy["median"][3]);  // of seven without six the middle

  std::istringstream lines(first.out.substr(0, first.out.find("\n{")));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  EXPECT_NE(read(folder / "liars" / "byzantine.svg").find("</svg>"), std::string::npos);
  EXPECT_EQ(json::parse(read(folder / "liars" / "byzantine.json")), result);
  const auto second = run(sweep);
  EXPECT_EQ(second.out, first.out);
  EXPECT_EQ(second.error, "");  // nothing is run again

  const auto more = run(with + " --steps 40 --workers 15 --method krum");
  ASSERT_EQ(more.code, 0) << more.error;
  const json krum = last_line(more.out);
  std::vector<int> liars;
  for (const auto& cell : krum["cells"]) liars.push_back(cell["liars"]);
  EXPECT_EQ(liars, (std::vector{0, 1, 3, 5, 7, 8}));

  expect_refused(with + " --steps 30", 1, "runs of another sweep");
  expect_refused("byzantine --workers 2 --out " + out, 2, "no majority is honest");
  expect_refused("byzantine --method medain --out " + out, 2, "did you mean median?");
  expect_refused("byzantine --attack sign-filp --out " + out, 2, "did you mean sign-flip?");
  expect_refused("byzantine --attack none --out " + out, 2, "is there anyway");
}

TEST_F(Programs, AsynchronousFlagsSayWhatIsWrong) {
  expect_refused("train --staleness 1", 2, "go with --topology async");
  expect_refused("train --clock real", 2, "go with --topology async");
  const std::string async = "train" + small + "--topology async ";
  expect_refused(async + "--staleness -2", 2, "or -1 for no bound");
  expect_refused(async + "--server-rule dcasgd", 2, "did you mean dc_asgd");
  expect_refused(async + "--durations erlang:n=3", 2, "did you mean k");
  expect_refused(async + "--speeds 1,,2", 2, "such as 1,1,0.5");
  expect_refused(async + "--compressor powersgd+ef", 2, "applied alone");
  expect_refused(async + "--local-steps 4", 2, "no meeting");
  expect_refused(async + "--servers 2", 2, "one shard");
  expect_refused(async + "--measure density", 2, "synchronous");
  expect_refused(async + "--non-finite skip_step", 2, "abort or zero");
}

TEST_F(Programs, BrokenDataIsAnErrorThatNamesTheFile) {
  expect_refused("train --data mnist:/nowhere", 1, "/nowhere");
  expect_refused("train --data fashion-mnist:/nowhere", 1, "/nowhere");
}

TEST_F(Programs, AnUnwritableFolderIsFoundBeforeTraining) {
  expect_refused("train" + small + "--steps 2 --out /proc/nowhere", 1, "/proc/nowhere");
  std::ofstream(folder / "file") << "not a folder";
  expect_refused("train" + small + "--steps 2 --out " + (folder / "file").string(), 1, "file");
  EXPECT_EQ(read(folder / "file"), "not a folder");
}

TEST_F(Programs, HelpShowsEveryFlagWithItsDefaultAndAnExample) {
  for (const char* program : {"train", "compare", "explain", "bytes", "rosenbrock", "descend",
                              "staleness", "byzantine", "step_time", "advise"}) {
    const auto o = run(std::string(program) + " --help");
    EXPECT_EQ(o.code, 0);
    EXPECT_NE(o.out.find("Example:"), std::string::npos) << program;
    EXPECT_EQ(o.error, "");
    std::istringstream lines(o.out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  }
  const auto help = run("train --help").out;
  for (const char* flag :
       {"--model",       "--data",        "--workers",    "--transport",    "--topology",
        "--servers",     "--staleness",   "--clock",      "--compressor",   "--aggregate",
        "--optimizer",   "--lr",          "--schedule",   "--batch",        "--epochs",
        "--steps",       "--seed",        "--threads",    "--partition",    "--network",
        "--compute",     "--bucket-mb",   "--attack",     "--non-finite",   "--measure",
        "--out",         "--resume",      "--eval-every", "--describe",     "--json",
        "--local-steps", "--local-after", "--outer",      "--outer-lr",     "--server-rule",
        "--durations",   "--speeds",      "--delays",     "--sparse-pulls", "--all-reduce",
        "--on-failure"}) {
    EXPECT_NE(help.find(flag), std::string::npos) << flag;
  }
}

TEST_F(Programs, DescribePrintsTheModel) {
  const auto o = run("train --model lenet --data synthetic --describe");
  EXPECT_EQ(o.code, 0) << o.error;
  EXPECT_NE(o.out.find("61706 parameters in 10 tensors"), std::string::npos) << o.out;
}

TEST_F(Programs, CompareWritesTableCsvJsonAndPicture) {
  const std::string out = (folder / "compare").string();
  const auto o = run("compare" + small + "--epochs 2 --json --out " + out);
  ASSERT_EQ(o.code, 0) << o.error;
  const json result = last_line(o.out);
  ASSERT_EQ(result["runs"].size(), 6U);
  EXPECT_EQ(result["runs"][0]["method"], "none");
  EXPECT_EQ(result["runs"][0]["times_smaller"], 1.0);
  EXPECT_GT(result["runs"][1]["times_smaller"], 10);
  EXPECT_EQ(json::parse(read(folder / "compare" / "compare.json")), result);
  const auto csv = read(folder / "compare" / "compare.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 7);
  const auto svg = read(folder / "compare" / "compare.svg");
  EXPECT_NE(svg.find("powersgd:rank=2+ef"), std::string::npos);
  EXPECT_NE(svg.find("</svg>"), std::string::npos);
}

TEST_F(Programs, BytesCountsRealPackets) {
  const auto o =
      run("bytes --shapes resnet18 --steps-per-epoch 24 --workers 1 --method none "
          "--method powersgd:rank=2 --method vote --method atomo:rank=2 "
          "--method powersgd:rank=2,alternate --method unbiased_rank:rank=2 --json");
  ASSERT_EQ(o.code, 0) << o.error;
  EXPECT_NE(o.out.find("powersgd:rank=1,alternate has those sizes"), std::string::npos);
  const json methods = last_line(o.out)["methods"];
  EXPECT_NEAR(methods[0]["mebibytes_per_epoch"], 1023.0, 0.05);
  EXPECT_NEAR(methods[1]["mebibytes_per_epoch"], 7.53, 0.005);
  EXPECT_NEAR(methods[2]["mebibytes_per_epoch"], 31.97, 0.005);
  EXPECT_NEAR(methods[3]["mebibytes_per_epoch"], 113.1, 0.05);
  EXPECT_NEAR(methods[4]["mebibytes_per_epoch"], 4.21, 0.005);
  EXPECT_NEAR(methods[5]["mebibytes_per_epoch"], 1.76, 0.005);
}

TEST_F(Programs, TrainMeasuresDensityEachEpoch) {
  const std::string out = (folder / "density").string();
  const auto o = run("train" + small + "--epochs 2 --measure density --json --out " + out);
  ASSERT_EQ(o.code, 0) << o.error;
  const auto densities = last_line(o.out)["densities"];
  ASSERT_EQ(densities.size(), 2U);
  EXPECT_EQ(densities[1]["step"], 20);
  EXPECT_EQ(densities[1]["batches"], 20);
  EXPECT_EQ(densities[0]["density"].size(), 5U) << "the model, and four tensors";
  for (const auto& part : densities[0]["density"]) {
    EXPECT_GT(part["density_mean"], 0);
    EXPECT_LE(part["density_mean"], 1);
    EXPECT_GT(part["variance"], 0);
  }
  std::istringstream log(read(folder / "density" / "log.jsonl")), lines(o.out);
  int found = 0;
  for (std::string line; std::getline(log, line);) {
    const auto entry = json::parse(line);
    if (!entry.contains("density")) continue;
    EXPECT_EQ(entry, densities[static_cast<std::size_t>(found++)]);
  }
  EXPECT_EQ(found, 2);
  for (std::string line; std::getline(lines, line) && !line.starts_with("test accuracy");) {
    EXPECT_LE(line.size(), 80U) << line;
  }
  EXPECT_NE(o.out.find("phi(mean)"), std::string::npos);
}

TEST_F(Programs, DescendTellsWhoConvergesAndWhoStalls) {
  const auto verdicts = [&](const std::string& problem) {
    const auto o = run("descend --json --problem " + problem);
    EXPECT_EQ(o.code, 0) << o.error;
    std::map<std::string, std::string> found;
    const json methods = last_line(o.out)["methods"];
    for (const auto& method : methods) {
      found[method["method"]] = method["verdict"];
    }
    return found;
  };
  using Verdicts = std::map<std::string, std::string>;
  EXPECT_EQ(verdicts("counterexample"), (Verdicts{{"sgd", "converges"},
                                                  {"sign", "stalls"},
                                                  {"vote", "stalls"},
                                                  {"sign+ef", "converges"},
                                                  {"ssdm", "converges"},
                                                  {"ssdm:scaled", "converges"}}));
  for (const auto* problem : {"quadratics", "median"}) {
    EXPECT_EQ(verdicts(problem), (Verdicts{{"sgd", "converges"},
                                           {"sign", "stalls"},
                                           {"vote", "stalls"},
                                           {"sign+ef", "converges"},
                                           {"ssdm", "stalls"},
                                           {"ssdm:scaled", "converges"}}))
        << problem;
  }
}

// More samples, and more voters, make more signs right; and only what goes downhill is kept.
TEST_F(Programs, RosenbrockMeasuresSignsOnTheWay) {
  const auto measured = [&](const std::string& more) {
    const auto o = run("rosenbrock --steps 400 --repeat 3 --samples 200 --json " + more);
    EXPECT_EQ(o.code, 0) << o.error;
    std::istringstream lines(o.out);
    for (std::string line; std::getline(lines, line) && line.front() != '{';) {
      EXPECT_LE(line.size(), 80U) << line;
    }
    return last_line(o.out)["methods"];
  };
  const std::string file = (folder / "valley.svg").string();
  const json single = measured("--batch 1 --noise 1 --plot " + file);
  ASSERT_EQ(single.size(), 3U);
  for (const auto& method : single) {
    ASSERT_EQ(method["points"].size(), 9U);
    for (const auto& p : method["points"]) {
      EXPECT_GT(p["p_correct"].get<double>() - p["p_wrong"].get<double>(), 0);
      EXPECT_LE(p["p_correct"].get<double>() + p["p_wrong"].get<double>(), 1 + 1e-9);
    }
  }
  const auto first = [](const json& method, const char* key) {
    return method["points"][0][key].get<double>();
  };
  EXPECT_GT(first(single[2], "p_correct"), first(single[0], "p_correct") + 0.02) << "the vote";
  const json batch = measured("--batch 8 --noise 1");
  EXPECT_GT(first(batch[0], "p_correct"), first(single[0], "p_correct") + 0.1);
  const auto& downhill = single[1]["points"];
  for (std::size_t i = 1; i < downhill.size(); ++i) {
    EXPECT_LE(downhill[i]["f"], downhill[i - 1]["f"]);
  }
  EXPECT_LT(downhill.back()["f"], downhill.front()["f"].get<double>() / 10);
  EXPECT_EQ(single, measured("--batch 1 --noise 1")) << "the same seed";
  EXPECT_NE(single, measured("--batch 1 --noise 1 --seed 2"));
  const json exact = measured("--batch 0");
  EXPECT_EQ(first(exact[0], "p_correct"), 1) << "the gradient itself";
  EXPECT_NE(read(file).find("vote of 5"), std::string::npos);
}

TEST_F(Programs, ExplainShowsThePacketInEightyColumns) {
  std::vector<std::string> specs{"vote:zero=zero,tie=zero", "sign+ef", "powersgd:rank=1+ef"};
  for (const auto& entry : terse::compressor_registry()) specs.emplace_back(entry.example);
  for (const auto& spec : specs) {
    const auto o = run("explain " + spec + " --step 1 --json");
    ASSERT_EQ(o.code, 0) << o.error;
    EXPECT_NE(o.out.find("checksum"), std::string::npos);
    const auto said = last_line(o.out);
    EXPECT_EQ(said["decoded"].size(), 24U);
    EXPECT_FALSE(said["packets"][0]["fields"].empty()) << spec;
    std::istringstream lines(o.out);
    for (std::string line; std::getline(lines, line) && line.front() != '{';) {
      EXPECT_LE(line.size(), 80U) << line;
    }
  }
  EXPECT_EQ(last_line(run("explain sign+ef --json").out)["state"]["ef.residual"],
            last_line(run("explain sign+ef --json").out)["left_unsaid"]);
  const auto o = run("explain");
  EXPECT_EQ(o.code, 2);
  EXPECT_NE(o.out.find("powersgd"), std::string::npos);
}

}  // namespace
