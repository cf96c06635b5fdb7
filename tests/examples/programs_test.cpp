// The programs as a user runs them.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
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

TEST_F(Programs, WhatComesLaterIsRefused) {
  for (const char* flag : {"--resume x", "--network 10Gbps", "--attack sign-flip", "--staleness 1",
                           "--clock virtual", "--compute 5ms", "--bucket-mb 4"}) {
    expect_refused(std::string("train ") + flag, 2, "not available yet");
  }
  expect_refused("train --aggregate median", 2, "only 'mean' is available yet");
  expect_refused("train --topology async", 2, "not available yet");
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
  for (const char* program : {"train", "compare", "explain", "bytes", "rosenbrock"}) {
    const auto o = run(std::string(program) + " --help");
    EXPECT_EQ(o.code, 0);
    EXPECT_NE(o.out.find("Example:"), std::string::npos) << program;
    EXPECT_EQ(o.error, "");
    std::istringstream lines(o.out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  }
  const auto help = run("train --help").out;
  for (const char* flag :
       {"--model",       "--data",        "--workers",    "--transport",  "--topology",
        "--servers",     "--staleness",   "--clock",      "--compressor", "--aggregate",
        "--optimizer",   "--lr",          "--schedule",   "--batch",      "--epochs",
        "--steps",       "--seed",        "--threads",    "--partition",  "--network",
        "--compute",     "--bucket-mb",   "--attack",     "--non-finite", "--measure",
        "--out",         "--resume",      "--eval-every", "--describe",   "--json",
        "--local-steps", "--local-after", "--outer",      "--outer-lr"}) {
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
          "--method powersgd:rank=2 --method vote --json");
  ASSERT_EQ(o.code, 0) << o.error;
  const json methods = last_line(o.out)["methods"];
  EXPECT_NEAR(methods[0]["mebibytes_per_epoch"], 1023.0, 0.05);
  EXPECT_NEAR(methods[1]["mebibytes_per_epoch"], 7.53, 0.005);
  EXPECT_NEAR(methods[2]["mebibytes_per_epoch"], 31.97, 0.005);
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
