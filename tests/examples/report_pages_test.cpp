// The pages of report, compare and train --report, as a user makes them, and their bad input.
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "examples/report/page.hpp"
#include "tests/examples/program_fixture.hpp"

namespace {

using nlohmann::json;

// The data in a page.
json data_in(const std::string& page) {
  const std::string element = R"(<script type="application/json" id="data">)";
  const auto begin = page.find(element);
  if (begin == std::string::npos) return {};
  const auto text = page.substr(begin + element.size());
  return json::parse(text.substr(0, text.find("</script>")));
}

class ReportPages : public ProgramFixture {
 protected:
  std::string at(const std::string& name) const { return (folder / name).string(); }

  // A run of a few steps in the folder `name`.
  void train_run(const std::string& name, const std::string& flags = "") const {
    const auto o = run("train" + small + "--steps 60 --out " + at(name) + ' ' + flags);
    ASSERT_EQ(o.code, 0) << o.error;
  }
  void append(const std::string& file, const std::string& text) const {
    std::ofstream(folder / file, std::ios::app) << text;
  }
  json page_of(const std::string& arguments) const {
    const auto o = run("report " + arguments + " --force --out " + at("page.html"));
    EXPECT_EQ(o.code, 0) << o.error;
    return data_in(read(folder / "page.html"));
  }
  bool has_note(const json& data, const std::string& part) const {
    for (const auto& note : data["notes"]) {
      if (note.get<std::string>().find(part) != std::string::npos) return true;
    }
    ADD_FAILURE() << data["notes"] << " has no '" << part << "'";
    return false;
  }
};

TEST_F(ReportPages, ShowARunWithAllItsParts) {
  train_run("a", "--compressor powersgd:rank=2+ef --network 1gbe");
  const auto o = run("report " + at("a"));
  ASSERT_EQ(o.code, 0) << o.error;
  EXPECT_EQ(o.out.find(at("a") + "/report.html: "), 0U) << o.out;
  EXPECT_NE(o.out.find("KB, 1 run\n"), std::string::npos) << o.out;
  const auto data = data_in(read(folder / "a" / "report.html"));
  EXPECT_EQ(data["format"], 1);
  EXPECT_EQ(data["command"], "report " + at("a"));
  EXPECT_TRUE(data["notes"].empty()) << data["notes"];
  const auto& r = data["runs"].at(0);
  EXPECT_EQ(r["label"], "powersgd:rank=2+ef");
  EXPECT_EQ(r["metric"], "accuracy");
  EXPECT_EQ(r["steps"]["step"], json({25, 50, 60}));
  for (const char* column : {"epoch", "loss", "lr", "bytes", "wall", "virtual"}) {
    EXPECT_EQ(r["steps"][column].size(), 3U) << column;
  }
  EXPECT_EQ(r["evaluations"]["step"].back(), 60);
  EXPECT_NEAR(r["evaluations"]["wall"].back(), r["steps"]["wall"].back(), 1e-9);
  EXPECT_GT(r["times"]["compute"], 0);
  EXPECT_GT(r["virtual_times"]["exchange"], 0);
  ASSERT_EQ(r["exchange"]["phases"].size(), 2U);
  const auto& bytes = r["bytes"];
  EXPECT_NEAR(bytes["payload"].get<double>() + bytes["headers"].get<double>() +
                  bytes["forwarding"].get<double>(),
              bytes["per_step"].get<double>(), 0.1);
  EXPECT_EQ(bytes["headers"], 2 * 2 * 32);  // two phases in a ring of two
  EXPECT_EQ(bytes["forwarding"], 0);        // 2 (W-1)/W = 1
  EXPECT_EQ(bytes["by_tensor"].size(), 4U);
}

TEST_F(ReportPages, CommandsMakeTheSameRunAgain) {
  const std::vector<std::string> flags = {
      "", "--compressor topk:ratio=0.05+ef --lr 0.2 --topology server --servers 2",
      "--topology async --staleness 4 --server-rule dc_asgd --compressor none",
      "--local-steps 4 --outer sgd:momentum=0.9,nesterov --outer-lr 0.7 --non-finite zero",
      "--network 10gbe,loss=0.001 --compute 5ms --bucket-mb 0.01 --schedule cosine --deadline 7"};
  for (std::size_t i = 0; i < flags.size(); ++i) {
    const auto first = std::to_string(i), second = first + "-again";
    train_run(first, flags[i]);
    const auto command = page_of(at(first))["runs"][0]["command"].get<std::string>();
    const auto o = run(command + " --out " + at(second));
    ASSERT_EQ(o.code, 0) << command << ": " << o.error;
    EXPECT_EQ(read(folder / first / "config.json"), read(folder / second / "config.json"))
        << command;
    EXPECT_EQ(lasting_log(folder / first), lasting_log(folder / second)) << command;
  }
}

TEST_F(ReportPages, RefuseWhatIsNoRun) {
  train_run("a");
  expect_refused("report", 2, "expected the folder of a run, such as report runs/a; see --help");
  expect_refused("report " + at("none"), 2, "it does not exist");
  fs::create_directories(folder / "empty");
  expect_refused("report " + at("empty"), 2, "with the files config.json and log.jsonl");
  expect_refused("report " + at("a") + "/log.jsonl", 2, "it is a file");
  expect_refused("report " + at("a") + ' ' + at("a") + "/. --out " + at("p"), 2,
                 "the same run is given twice");
  expect_refused("report " + at("a") + " --colour red", 2, "--colour");
  fs::create_directories(folder / "b");
  fs::copy(folder / "a" / "config.json", folder / "b" / "config.json");
  expect_refused("report " + at("b"), 1, "log.jsonl is missing");
  expect_refused("report " + at("a") + ' ' + at("b"), 2, "--out: expected the name of the page");
  append("b/log.jsonl", "{\"step\":25,\"loss\":1,\"lr\":1}\nrubbish\n{}\n");
  expect_refused("report " + at("b"), 1, "log.jsonl', line 2: expected a JSON object; got 'rubb");
  EXPECT_FALSE(fs::exists(folder / "b" / "report.html"));
  std::ofstream(folder / "b" / "config.json") << "[]";
  expect_refused("report " + at("b"), 1, "config.json': expected a JSON object");
}

TEST_F(ReportPages, ReplaceAFileOnlyIfAsked) {
  train_run("a");
  append("page.html", "mine");
  const auto report = "report " + at("a") + " --out " + at("page.html");
  expect_refused(report, 1, "exists already; name another file by --out, or use --force");
  EXPECT_EQ(read(folder / "page.html"), "mine");
  EXPECT_EQ(run(report + " --force").code, 0);
  EXPECT_TRUE(data_in(read(folder / "page.html")).is_object());
  expect_refused("report " + at("a") + " --out " + at("a"), 2, "got the folder");
  expect_refused("report " + at("a") + " --out " + at("no/page.html"), 2, "no/page.html");
}

TEST_F(ReportPages, NameWhatIsMissingOrUnknown) {
  train_run("a");
  append("a/log.jsonl", "{\"step\":85,\"lo");
  auto config = json::parse(read(folder / "a" / "config.json"));
  config["colour"] = "red";
  std::ofstream(folder / "a" / "config.json") << config;
  auto data = page_of(at("a"));
  EXPECT_TRUE(has_note(data, "the log ends within line "));
  EXPECT_TRUE(has_note(data,
                       "keys that this version does not know, so it may be from a newer "
                       "version: colour"));
  config["compressor"] = "telepathy";
  std::ofstream(folder / "a" / "config.json") << config;
  data = page_of(at("a"));
  EXPECT_TRUE(has_note(data, "config.json cannot be used by this version: "));
  EXPECT_EQ(data["runs"][0]["label"], "telepathy");
  EXPECT_TRUE(data["runs"][0]["exchange"].is_null());
  EXPECT_EQ(data["runs"][0]["steps"]["step"].size(), 3U);
  config["compressor"] = "none";
  config["data"] = "images:path=" + at("nowhere");
  std::ofstream(folder / "a" / "config.json") << config;
  EXPECT_TRUE(has_note(page_of(at("a")), "the sizes of packets are left out: "));
}

TEST_F(ReportPages, HaveAtMostFiftyHealthLinesWithShortNumbers) {
  train_run("a");
  for (int step = 1; step <= 333; ++step) {
    append("a/log.jsonl",
           fmt::format(R"({{"step":{},"health":{{"tensors":[{{"energy":0.123456789}}]}}}})"
                       "\n",
                       step));
  }
  const auto health = page_of(at("a"))["runs"][0]["health"];
  EXPECT_LE(health.size(), 50U);
  EXPECT_GT(health.size(), 20U);
  EXPECT_EQ(health[0]["step"], 1);
  EXPECT_EQ(health.back()["step"], 333);
  EXPECT_EQ(health[0]["health"]["tensors"][0]["energy"], 0.1235);
}

TEST_F(ReportPages, SayWhichRunsCannotBeCompared) {
  train_run("a");
  const auto o =
      run("train --model lstm:hidden=8,embedding=8 --data synthetic-text --workers 2 "
          "--steps 5 --batch 2 --out " +
          at("text"));
  ASSERT_EQ(o.code, 0) << o.error;
  const auto data = page_of(at("a") + ' ' + at("text"));
  EXPECT_TRUE(has_note(data, "these cannot be compared on one axis"));
  EXPECT_EQ(data["runs"][1]["metric"], "perplexity");
}

TEST_F(ReportPages, TellTheSplitsApart) {
  train_run("a");
  const auto o = run(
      "train --data synthetic:size=14,train=400,test=100,valid=40 --model mlp:hidden=16 --batch 10 "
      "--workers 2 --steps 60 --evaluate valid --out " +
      at("b"));
  ASSERT_EQ(o.code, 0) << o.error;
  const auto data = page_of(at("a") + ' ' + at("b"));
  EXPECT_TRUE(has_note(data, "the scores of " + at("a") +
                                 " are those of the test split, the scores "
                                 "of " +
                                 at("b") + " those of the validation split"));
  EXPECT_EQ(data["runs"][0]["split"], "test");
  EXPECT_EQ(data["runs"][1]["split"], "valid");
  EXPECT_EQ(data["runs"][1]["metric"], "accuracy");
  EXPECT_TRUE(data["runs"][1]["evaluations"]["score"][0].is_number());
  EXPECT_NE(data["runs"][1]["command"].get<std::string>().find("--evaluate valid"),
            std::string::npos);
  EXPECT_EQ(data["runs"][0]["command"].get<std::string>().find("--evaluate"), std::string::npos);
  EXPECT_TRUE(page_of(at("b"))["notes"].empty());
}

TEST_F(ReportPages, TellEqualRunsApart) {
  train_run("x/run");
  train_run("y/run");
  const auto data = page_of(at("x/run") + ' ' + at("y/run"));
  EXPECT_NE(data["runs"][0]["label"], data["runs"][1]["label"]);
  EXPECT_TRUE(data["differences"].empty()) << data["differences"];
}

TEST_F(ReportPages, CompareWritesOneOfAllItsMethods) {
  const auto out = at("c");
  const auto compare = "compare" + small +
                       "--steps 30 --method vote --method none --method vote "
                       "--out " +
                       out;
  const auto o = run(compare);
  ASSERT_EQ(o.code, 0) << o.error;
  const std::string page = "Page: " + out + "/report.html\n";
  ASSERT_GE(o.out.size(), page.size());
  EXPECT_EQ(o.out.substr(o.out.size() - page.size()), page);
  const auto data = data_in(read(folder / "c" / "report.html"));
  ASSERT_EQ(data["runs"].size(), 3U);
  EXPECT_EQ(data["runs"][0]["name"], out + "/vote");
  EXPECT_EQ(data["runs"][1]["name"], out + "/none");
  EXPECT_EQ(data["runs"][2]["name"], out + "/vote-2");
  EXPECT_EQ(page_of(out)["runs"], data["runs"]);
  expect_refused(compare, 1, "holds a comparison already");
  EXPECT_EQ(run(compare + " --force --method sign+ef").code, 0);
  EXPECT_EQ(data_in(read(folder / "c" / "report.html"))["runs"].size(), 4U);
}

TEST_F(ReportPages, NameAMethodThatFailedAtOnce) {
  const auto o =
      run("compare" + small + "--steps 30 --method vote --method none --lr 2000 --out " + at("c"));
  ASSERT_EQ(o.code, 0) << o.error;
  EXPECT_TRUE(has_note(data_in(read(folder / "c" / "report.html")), "diverged"));
}

TEST_F(ReportPages, LeaveOutADamagedPacketOnly) {
  train_run("a", "--compressor sign+ef --record steps=0..2");
  const auto all = page_of(at("a"))["runs"][0]["packets"].size();
  const auto file = folder / "a/records/step-0/worker-0/packet.phase-0.bin";
  fs::resize_file(file, 10);
  const auto data = page_of(at("a"));
  EXPECT_EQ(data["runs"][0]["packets"].size(), all - 1);
  EXPECT_TRUE(has_note(data, file.string()));
}

TEST_F(ReportPages, ShowTheBytesAndTheStalenessOfAnAsynchronousRun) {
  const auto o =
      run("train" + tiny + " --workers 3 --topology async --steps 60 --compressor topk+ef" +
          " --measure health:every=20 --out " + at("a"));
  ASSERT_EQ(o.code, 0) << o.error;
  EXPECT_NE(o.error.find("the staleness alone"), std::string::npos) << o.error;
  const auto run_data = page_of(at("a"))["runs"][0];
  EXPECT_GT(run_data["staleness"]["histogram"].size(), 1U);
  EXPECT_EQ(run_data["staleness"]["pushes"].size(), 60U);
  EXPECT_FALSE(run_data["exchange"].is_null());
}

TEST_F(ReportPages, ReplaceNoFileOfARun) {
  train_run("a");
  const auto log = read(folder / "a" / "log.jsonl");
  expect_refused("report " + at("a") + " --force --out " + at("a/log.jsonl"), 2,
                 "is a file of a run");
  fs::create_symlink("log.jsonl", folder / "a" / "link");
  expect_refused("report " + at("a") + " --force --out " + at("a/link"), 2, "is a file of a run");
  expect_refused("report " + at("a") + " --out " + at("none/page.html"), 2, "there is no folder");
  EXPECT_EQ(read(folder / "a" / "log.jsonl"), log);
}

TEST_F(ReportPages, TrainWritesOneOfItsRun) {
  expect_refused("train --report" + small + "--steps 2", 2, "--report: expected --out");
  const auto o = run("train" + small + "--steps 30 --json --report --out " + at("a"));
  ASSERT_EQ(o.code, 0) << o.error;
  EXPECT_NE(o.out.find("\npage: " + at("a") + "/report.html\n{"), std::string::npos) << o.out;
  const auto data = data_in(read(folder / "a" / "report.html"));
  EXPECT_EQ(data["runs"][0]["steps"]["step"].back(), 30);
  const auto more = run("train --resume " + at("a") + " --steps 60 --report");
  ASSERT_EQ(more.code, 0) << more.error;
  EXPECT_EQ(data_in(read(folder / "a" / "report.html"))["runs"][0]["steps"]["step"].back(), 60);
}

// 50 runs with 100 000 reports each.
TEST_F(ReportPages, OfManyLongRunsStayBelowFiveMegabytes) {
  train_run("run");
  const auto config = read(folder / "run" / "config.json");
  std::string log;
  for (int i = 1; i <= 100'000; ++i) {
    const double loss = i == 51'234 ? 99 : 2 + std::sin(i * 1e-3) + 1e-3 * (i * 7919 % 101);
    log += fmt::format(
        R"({{"bytes_sent":{},"loss":{},"lr":0.0123456789,"message_bytes":800,"step":{},)"
        R"("time":{{"compute":0.123456789,"samples_per_second":1234.5,"seconds":{}}}}})"
        "\n",
        23456789LL * i, loss, 25 * i, 0.0345678912 * i);
  }
  std::ofstream(folder / "log.jsonl") << log;
  for (int i = 0; i < 50; ++i) {
    const auto name = "many/" + std::to_string(100 + i);
    fs::create_directories(folder / name);
    std::ofstream(folder / name / "config.json") << config;
    fs::create_hard_link(folder / "log.jsonl", folder / name / "log.jsonl");
  }
  const auto data = page_of(at("many"));
  EXPECT_LT(fs::file_size(folder / "page.html"), 5'000'000U);
  ASSERT_EQ(data["runs"].size(), 50U);
  for (const auto& r : data["runs"]) {
    const auto& loss = r["steps"]["loss"];
    EXPECT_NE(std::find(loss.begin(), loss.end(), 99), loss.end());
  }
  page_of(at("many/100"));
  EXPECT_LT(fs::file_size(folder / "page.html"), 5'000'000U);
}

}  // namespace
