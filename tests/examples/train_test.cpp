// The program train, run as a user does.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "program_fixture.hpp"

namespace {

using nlohmann::json;
using Train = ProgramFixture;

TEST_F(Train, PrintsTheAgreedKeys) {
  const auto o = run("train" + small + "--epochs 1 --compressor sign+ef --json");
  ASSERT_EQ(o.code, 0) << o.error;
  const json result = last_line(o.out);
  for (const char* key :
       {"test_accuracy", "train_loss", "steps", "message_bytes", "bytes_sent_per_worker",
        "bytes_uncompressed", "seconds", "virtual_seconds", "samples_per_second", "config"}) {
    EXPECT_TRUE(result.contains(key)) << key;
  }
  EXPECT_EQ(result["steps"], 20);
  EXPECT_EQ(result["config"]["compressor"],
            "sign:scale=l1,scope=tensor+ef:target=local,lr=outside");
  EXPECT_GT(result["samples_per_second"], 0);
  EXPECT_LT(result["bytes_sent_per_worker"], result["bytes_uncompressed"]);
}

TEST_F(Train, ARunFolderRepeatsWithTheSeed) {
  const auto log_without_time = [&](const std::string& name, const std::string& more) {
    const auto o = run("train" + small + "--epochs 4 --compressor topk:ratio=0.1+ef --out " +
                       (folder / name).string() + more);
    EXPECT_EQ(o.code, 0) << o.error;
    return lasting_log(folder / name);
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

TEST_F(Train, NothingIsOverwritten) {
  const std::string out = (folder / "run").string();
  EXPECT_EQ(run("train" + small + "--steps 2 --out " + out).code, 0);
  const auto before = read(folder / "run" / "log.jsonl");
  expect_refused("train" + small + "--steps 2 --out " + out, 1, "holds a run already");
  EXPECT_EQ(read(folder / "run" / "log.jsonl"), before);
}

TEST_F(Train, BadUsageIsOneLineThatSaysWhatWouldBeRight) {
  expect_refused("train --workers 0", 2,
                 "--workers: expected a whole number from 1 to 1024; got 0");
  expect_refused("train --compressor topk:ratio=2", 2, "ratio must be a number");
  expect_refused("train --compressor powrsgd", 2, "did you mean powersgd?");
  expect_refused("train --compressor onebit_adam --optimizer sgd", 2,
                 "--optimizer: compressor onebit_adam: expected the optimizer adam or adamw");
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
  expect_refused("train --evaluate train", 2, "split 'train' is not known");
  expect_refused("train --evaluate valid" + small, 2,
                 "synthetic:size=14,train=400,test=100,valid=40");
  expect_refused("train --evaluate valid --data synthetic:size=8,train=60000,test=100", 2,
                 "synthetic:size=8,train=60000,test=100,valid=5000");
  expect_refused("train --non-finite hope", 2, "abort");
  expect_refused("train --local-steps -1", 2, "--local-steps: expected a whole number from 0");
  expect_refused("train --local-after 5", 2, "require --local-steps");
  expect_refused("train --outer-lr 0.7", 2, "require --local-steps");
  expect_refused("train --local-steps 4 --outer-lr 0", 2, "--outer-lr");
  expect_refused("train --local-steps 4 --outer sdg", 2, "did you mean sgd?");
  expect_refused("train --local-steps 4 --compressor vote", 2, "directions without magnitudes");
  expect_refused("train --all-reduce rign", 2, "did you mean ring?");
  expect_refused("train --topology server --all-reduce tree", 2, "expected the topology ring");
  expect_refused("train --aggregate medain", 2, "did you mean median?");
  expect_refused("train --aggregate median", 2, "take topology server");
  expect_refused("train --aggregate trimmed:f=2 --topology server", 2, "more than 4 workers");
  expect_refused("train --aggregate krum --topology async", 2, "pushes are applied one by one");
  expect_refused("train --network 10Gb", 2, "a rate such as 10Gbps");
  expect_refused("train --network 10gbe --topology local", 2, "sends no messages");
  expect_refused("train --network 10gbe,slow=4:2 --workers 4", 2, "a worker from 0 to 3");
  expect_refused("train --network 10gbe --compute 5", 2, "a time such as 5ms");
  expect_refused("train --compute 5ms", 2, "requires --network");
  expect_refused("train --measure densty", 2, "did you mean density?");
  expect_refused("train --data synthetic:train=400 --batch 100 --measure density", 2,
                 "two batches");
  expect_refused("train" + small + "--partition by-labl", 2, "did you mean by-label?");
  expect_refused("train" + small + "--partition by-class:0-2/3-5/6-9", 2,
                 "--partition: partition 'by-class': expected at least 3 workers");
  expect_refused("train --data synthetic:train=400 --batch 100000", 2, "400");
  expect_refused("compare --method none --method tokp", 2, "did you mean topk?");
  expect_refused("bytes --shapes 3x-1", 2, "--shapes");
  expect_refused("explain sign --shape 1,2", 2, "--shape");
  expect_refused("rosenbrock --batch -1", 2, "--batch: expected a whole number from 0");
  expect_refused("rosenbrock --steps 3", 2, "--steps: expected a whole number from 8");
  expect_refused("rosenbrock --noise -1", 2, "--noise: expected a number from 0");
  expect_refused("rosenbrock --lr 0", 2, "--lr: expected a number above 0");
  expect_refused("rosenbrock --voters 3", 2, "--voters");
  expect_refused("descend --problem valley", 2,
                 "expected counterexample, quadratics or median; got 'valley'");
  expect_refused("descend --method vot", 2, "did you mean vote?");
}

TEST_F(Train, ModelsAndDataMustFit) {
  expect_refused("train --model lstm", 2, "--model lstm: expected --data with text");
  expect_refused("train --model lenet --data synthetic-text", 2, "try --model lstm");
  expect_refused("train --model lstm --data synthetic-text:length=9000,seq=500", 2,
                 "text: expected at least workers x batch x seq + 1 tokens");
  expect_refused("train --model lstm --data synthetic-text --partition shared", 2,
                 "--partition: expected iid");
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

TEST_F(Train, SaysOnWhichSplitItEvaluates) {
  const auto out = (folder / "run").string();
  const auto o =
      run("train --data synthetic:size=14,train=400,test=100,valid=40 --model mlp:hidden=16 "
          "--workers 2 "
          "--batch 10 --epochs 2 --evaluate valid --tensorboard --json --out " +
          out);
  ASSERT_EQ(o.code, 0) << o.error;
  EXPECT_EQ(o.out.rfind("validation accuracy ", 0), 0U) << o.out;
  EXPECT_EQ(count_of(o.error, "  validation accuracy "), 2) << o.error;
  EXPECT_EQ(count_of(o.error, "test accuracy "), 0) << o.error;
  const auto result = last_line(o.out);
  EXPECT_TRUE(result["valid_accuracy"].is_number());
  EXPECT_FALSE(result.contains("test_accuracy"));
  EXPECT_EQ(json::parse(read(folder / "run" / "config.json"))["evaluate"], "valid");
  EXPECT_EQ(count_of(read(folder / "run" / "log.jsonl"), "\"valid_accuracy\":"), 2);
  std::string events;
  for (const auto& file : fs::directory_iterator(folder / "run")) {
    if (file.path().filename().string().starts_with("events")) events = read(file.path());
  }
  EXPECT_EQ(count_of(events, "valid/accuracy"), 2);
  EXPECT_EQ(count_of(events, "test/"), 0);

  const auto text =
      run("train --model lstm:layers=1,hidden=8 --data synthetic-text:length=5000 "
          "--workers 2 --batch 4 --steps 5 --evaluate valid --json");
  ASSERT_EQ(text.code, 0) << text.error;
  EXPECT_EQ(text.out.rfind("validation perplexity ", 0), 0U) << text.out;
  EXPECT_TRUE(last_line(text.out)["valid_loss"].is_number());
}

TEST_F(Train, RunsTheNoisyMedianAsItsPagesWriteIt) {
  for (const auto* page : {"docs/algorithms.md", "CHANGELOG.md"}) {
    const auto text = read(fs::path(TERSE_SOURCE_DIR) / page);
    const auto begin = text.find("train --compressor none+noise ");
    ASSERT_NE(begin, std::string::npos) << page;
    const auto o =
        run(text.substr(begin, text.find('`', begin) - begin) + small + "--steps 2 --json");
    ASSERT_EQ(o.code, 0) << page << ": " << o.error;
    EXPECT_EQ(last_line(o.out)["config"]["aggregate"], "median") << page;
  }
}

TEST_F(Train, ReportsPerplexityOfText) {
  const auto o =
      run("train --model lstm:layers=1,hidden=8 --data synthetic-text:length=5000 "
          "--workers 2 --batch 4 --steps 5 --json");
  ASSERT_EQ(o.code, 0) << o.error;
  const auto result = last_line(o.out);
  EXPECT_GT(result["perplexity"], 1);
  EXPECT_FALSE(result.contains("test_accuracy"));
  EXPECT_EQ(o.out.rfind("test perplexity ", 0), 0U) << o.out;
  EXPECT_NE(o.out.find("tokens/s"), std::string::npos);
}

TEST_F(Train, DescribePrintsLayersIn80Columns) {
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

TEST_F(Train, ReportsTheTimeInAModelledNetwork) {
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

TEST_F(Train, GoesOnWithoutAWorkerThatDies) {
  const std::string dying = "train" + small + "--steps 4 --attack die:at=2 ";
  expect_refused(dying, 1, "attack: worker 1 dies at step 2");
  const auto out = folder / "dying";
  const auto o = run(dying + "--on-failure continue --json --out " + out.string());
  ASSERT_EQ(o.code, 0) << o.error;
  const json lost = {{"worker", 1}, {"step", 2}, {"error", "attack: worker 1 dies at step 2"}};
  EXPECT_NE(o.error.find("worker 1 left at step 2 (attack: worker 1 dies at step 2); the others "
                         "continue; its share of the evaluation is redistributed"),
            std::string::npos)
      << o.error;
  const auto result = last_line(o.out);
  EXPECT_EQ(result["dropped_workers"], json::array({lost}));
  EXPECT_EQ(result["config"]["attack"], "die:workers=1,at=2");
  EXPECT_EQ(result["config"]["on_failure"], "continue");
  EXPECT_EQ(json::parse(read(out / "config.json"))["attack"], "die:workers=1,at=2");
  EXPECT_NE(read(out / "log.jsonl").find(json{{"dropped", lost}}.dump()), std::string::npos);
}

TEST_F(Train, WithAnAsynchronousServer) {
  const std::string async = "train" + small + "--topology async --epochs 2 --json ";
  for (const char* more :
       {"--clock virtual", "--clock real", "--clock real --server-rule hogwild"}) {
    const auto o = run(async + more);
    ASSERT_EQ(o.code, 0) << o.error;
    const json result = last_line(o.out);
    EXPECT_EQ(result["updates"], 80);  // 400 images, 10 per push, two epochs
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

TEST_F(Train, AsynchronousFlagsSayWhatIsWrong) {
  expect_refused("train --staleness 1", 2, "require --topology async");
  expect_refused("train --clock real", 2, "require --topology async");
  const std::string async = "train" + small + "--topology async ";
  expect_refused(async + "--staleness -2", 2, "or -1 for no bound");
  expect_refused(async + "--server-rule dcasgd", 2, "did you mean dc_asgd");
  expect_refused(async + "--durations erlang:n=3", 2, "did you mean k");
  expect_refused(async + "--speeds 1,,2", 2, "such as 1,1,0.5");
  expect_refused(async + "--compressor powersgd+ef", 2, "applied alone");
  expect_refused(async + "--local-steps 4", 2, "never average their models");
  expect_refused(async + "--servers 2", 2, "one shard");
  expect_refused(async + "--measure density", 2, "synchronous");
  expect_refused(async + "--non-finite skip_step", 2, "abort or zero");
}

TEST_F(Train, BrokenDataIsAnErrorThatNamesTheFile) {
  expect_refused("train --data mnist:/nowhere", 1, "/nowhere");
  expect_refused("train --data fashion-mnist:/nowhere", 1, "/nowhere");
}

TEST_F(Train, AnUnwritableFolderIsFoundBeforeTraining) {
  expect_refused("train" + small + "--steps 2 --out /proc/nowhere", 1, "/proc/nowhere");
  std::ofstream(folder / "file") << "not a folder";
  expect_refused("train" + small + "--steps 2 --out " + (folder / "file").string(), 1, "file");
  EXPECT_EQ(read(folder / "file"), "not a folder");
}

TEST_F(Train, DescribePrintsTheModel) {
  const auto o = run("train --model lenet --data synthetic --describe");
  EXPECT_EQ(o.code, 0) << o.error;
  EXPECT_NE(o.out.find("61706 parameters in 10 tensors"), std::string::npos) << o.out;
}

TEST_F(Train, MeasuresDensityEachEpoch) {
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

}  // namespace
