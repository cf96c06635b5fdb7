// The program whatif, and train --record, run as a user does.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "program_fixture.hpp"

namespace {

using nlohmann::json;

class WhatIf : public ProgramFixture {
 protected:
  // A run with records; returns what train has written to standard error.
  std::string record(const std::string& name, const std::string& flags) const {
    const auto o = run("train" + small + "--steps 4 --out " + (folder / name).string() + flags);
    EXPECT_EQ(o.code, 0) << o.error;
    return o.error;
  }
  std::string of(const std::string& name) const { return "whatif " + (folder / name).string(); }
  static void replace(const fs::path& file, const std::string& what, const std::string& by) {
    auto text = read(file);
    ASSERT_NE(text.find(what), std::string::npos) << file;
    text.replace(text.find(what), what.size(), by);
    std::ofstream(file, std::ios::binary) << text;
  }
};

TEST_F(WhatIf, ComparesMethodsOnRecordedGradients) {
  const auto printed = record("a", " --record steps=0..2");
  EXPECT_EQ(printed.find("records: 3 steps x 2 workers x "), 0U) << printed;
  const auto at = [&](const char* file) { return (folder / file).string(); };
  const auto o = run(of("a") + " --json --svg " + at("a.svg") + " --out " + at("a.csv"));
  ASSERT_EQ(o.code, 0) << o.error;
  std::istringstream lines(o.out);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line.size() <= 80 || line.front() == '{') << line;
  }
  EXPECT_NE(o.out.find("The state of each method is empty before step 0."), std::string::npos);
  const json result = last_line(o.out);
  ASSERT_EQ(result["methods"].size(), 6U);
  EXPECT_EQ(result["recorded_steps"], (std::vector{0, 1, 2}));
  EXPECT_EQ(result["methods"][0]["method"], "none");
  EXPECT_NEAR(result["methods"][0]["cosine"].get<double>(), 1, 1e-6);
  EXPECT_TRUE(result["methods"][1]["relative_error"].is_null());  // a vote
  EXPECT_EQ(result["methods"][5]["steps"].size(), 3U);
  EXPECT_GT(result["methods"][5]["residual_last"], 0);
  EXPECT_EQ(count_of(read(folder / "a.csv"), "\n"), 7);
  EXPECT_EQ(count_of(read(folder / "a.svg"), "<polyline"), 12);

  const auto some = run(of("a") + " --steps '0;2' --method sign+ef --json");
  ASSERT_EQ(some.code, 0) << some.error;
  EXPECT_NE(some.out.find("Steps in between are not recorded"), std::string::npos);
  EXPECT_EQ(last_line(some.out)["recorded_steps"], (std::vector{0, 2}));
}

TEST_F(WhatIf, WritesThePacketsOfARealRun) {
  record("a", " --record steps=0");
  record("b", " --record steps=0 --compressor powersgd:rank=2+ef --optimizer sgd --lr 0.1");
  const auto packets = (folder / "packets").string();
  const auto o = run(of("a") + " --method powersgd:rank=2+ef --packets " + packets);
  ASSERT_EQ(o.code, 0) << o.error;
  for (const int worker : {0, 1}) {
    for (const int phase : {0, 1}) {
      const auto name = "records/step-0/worker-" + std::to_string(worker) + "/packet.phase-" +
                        std::to_string(phase) + ".bin";
      EXPECT_EQ(read(folder / "packets/powersgd:rank=2+ef" / name), read(folder / "b" / name));
      EXPECT_GT(read(folder / "b" / name).size(), 32U);
    }
  }
}

TEST_F(WhatIf, WrongInputIsAClearError) {
  expect_refused("whatif", 2, "run: expected the folder of a run");
  expect_refused(of("none"), 1, "expected a run with records");
  expect_refused("train" + small + "--record steps=0", 2, "--record: expected --out");
  expect_refused("train" + small + "--steps 4 --record steps=9 --out " + (folder / "x").string(), 2,
                 "expected steps from 0 to 3");
  EXPECT_FALSE(fs::exists(folder / "x"));
  record("a", " --record steps=0..1,tensors=1.*");
  expect_refused(of("a") + " --method sgn", 2, "did you mean sign?");
  expect_refused(of("a") + " --method topk+clip:norm=1", 2, "record all tensors");
  expect_refused(of("a") + " --steps 2", 2, "expected some of the recorded steps 0;1");
  const auto file = folder / "a/records/step-1/worker-0/1.bias.npy";
  const auto good = read(file);
  const auto write = [&](const std::string& text) {
    std::ofstream(file, std::ios::binary) << text;
  };
  write(good.substr(0, good.size() - 4));
  expect_refused(of("a"), 1, "1.bias.npy': expected as many float32 values as its shape (16)");
  write(good.substr(0, good.size() - 4) + std::string("\0\0\xc0\x7f", 4));
  expect_refused(of("a"), 1, "1.bias.npy': expected finite values; value 15 is nan");
  write(good);
  replace(file, "(16, )", "(4, 4)");
  expect_refused(of("a"), 1, "expected the shape (16), as records.json states; got (4, 4)");
  fs::remove(file);
  expect_refused(of("a"), 1, "1.bias.npy': cannot be read: No such file");
  const auto manifest = folder / "a/records/records.json";
  replace(manifest, "\"format\": 1", "\"format\": 2");
  expect_refused(of("a"), 1, "expected records in format 1; got format 2");
  replace(manifest, "\"format\": 2", "\"format\": 1");
  replace(manifest, "\"seed\"", "\"sead\"");
  expect_refused(of("a"), 1, "expected the records of a run; ");
  fs::resize_file(manifest, 100);
  expect_refused(of("a"), 1, "expected a JSON object with the number of its format");
}

TEST_F(WhatIf, ReplacesNoFileUnasked) {
  record("a", " --record steps=0..1");
  const auto table = (folder / "a.csv").string();
  const auto one = of("a") + " --method none --out " + table;
  EXPECT_EQ(run(one).code, 0);
  expect_refused(one, 1, "exists already");
  EXPECT_EQ(run(one + " --force").code, 0);
  expect_refused(one + " --force --svg " + table, 2, "expected two files");
  expect_refused(of("a") + " --force --svg " + (folder / "a" / "config.json").string(), 2,
                 "is a file of a run");
  expect_refused(of("a") + " --steps 9", 2, "recorded steps 0;1");
}

}  // namespace
