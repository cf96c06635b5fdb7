// Tests of the programs other than train, run as a user does.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "program_fixture.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace {

using nlohmann::json;
using Programs = ProgramFixture;

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
  // 256 KiB at 12.5 MB/s: 21 ms for 2 workers, 7/4 of that for 8 workers, and less than 1 ms at 10
  // Gbit/s.
  EXPECT_GT(exchange(0), 20);
  EXPECT_GT(exchange(1), 1.7 * 20);
  EXPECT_GT(exchange(3), 3 * exchange(2));
  EXPECT_LT(exchange(4), exchange(0));
  expect_refused("step_time --network local", 2, "a rate such as 10Gbps");
  expect_refused("step_time --steps 0", 2, "--steps: expected a number from 1 to 1000");
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
  expect_refused("advise --workers 1", 2,
                 "expected at least 2, because one worker exchanges nothing");
  expect_refused("advise --latency soon", 2, "a time such as 5ms");
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
  // Staleness reduces the largest stable rate. The first cell of each row has one worker, the
  // second 32.
  EXPECT_GT(result["cells"][0]["largest_stable_rate"], result["cells"][2]["largest_stable_rate"]);
  EXPECT_LT(result["cells"][0]["largest_stable_rate"], 4096);
  std::istringstream lines(first.out.substr(0, first.out.find("\n{")));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  EXPECT_NE(read(folder / "sweep" / "staleness.svg").find("</svg>"), std::string::npos);
  EXPECT_EQ(json::parse(read(folder / "sweep" / "staleness.json")), result);

  // The file is cut after half of the bytes, within a line. The missing runs are repeated, with the
  // same result.
  const auto all = read(folder / "sweep" / "runs.jsonl");
  std::ofstream(folder / "sweep" / "runs.jsonl") << all.substr(0, all.size() / 2);
  const auto second = run(sweep);
  ASSERT_EQ(second.code, 0) << second.error;
  EXPECT_EQ(second.out, first.out);
  EXPECT_LT(second.error.size(), first.error.size());
  EXPECT_GT(second.error.size(), 0U);
  EXPECT_EQ(run(sweep).error, "");

  expect_refused(with + " --epochs 3", 1, "runs of another sweep");
  expect_refused(sweep + " --evaluate valid", 1, "runs of another sweep");
  expect_refused("staleness --workers 1,x --out " + out, 2, "separated by commas");
  expect_refused("staleness --method top --out " + out, 2, "'top' is not known");
  expect_refused("staleness --low 3 --out " + out, 2, "ascending");
}

TEST_F(Programs, AllThatTrainEvaluateOnEitherSplit) {
  const std::string flags =
      " --data synthetic:size=14,train=440,test=100,valid=40 --model mlp:hidden=16 --batch 10 "
      "--evaluate valid --json --out ";
  const auto in = [&](const char* name) { return (folder / name).string(); };
  const auto c = run("compare --workers 2 --steps 40 --method none" + flags + in("c"));
  ASSERT_EQ(c.code, 0) << c.error;
  EXPECT_NE(c.out.find(" valid train "), std::string::npos) << c.out;
  EXPECT_TRUE(last_line(c.out)["runs"][0]["valid_accuracy"].is_number());
  EXPECT_NE(read(folder / "c" / "compare.csv").find(",valid_accuracy,valid_loss,"),
            std::string::npos);
  EXPECT_NE(read(folder / "c" / "compare.svg").find("validation accuracy, %"), std::string::npos);

  const auto s =
      run("staleness --workers 1 --method asynchronous --low -4 --high -3" + flags + in("s"));
  ASSERT_EQ(s.code, 0) << s.error;
  EXPECT_NE(s.out.find("acc.: valid split, best rate"), std::string::npos) << s.out;
  EXPECT_TRUE(last_line(s.out)["cells"][0]["valid_accuracy"].is_number());
  EXPECT_EQ(last_line(s.out)["config"]["evaluate"], "valid");
  EXPECT_EQ(
      run("staleness --workers 1 --method asynchronous --low -4 --high -3" + flags + in("s")).out,
      s.out);

  const auto b =
      run("byzantine --workers 3 --steps 20 --method mean --attack sign-flip" + flags + in("b"));
  ASSERT_EQ(b.code, 0) << b.error;
  EXPECT_NE(b.out.find("Validation accuracy in percent"), std::string::npos) << b.out;
  EXPECT_TRUE(last_line(b.out)["cells"][0]["valid_accuracy"].is_number());
  EXPECT_EQ(last_line(b.out)["config"]["evaluate"], "valid");
}

TEST_F(Programs, ByzantineShowsHowManyAttackersAMethodTolerates) {
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
  EXPECT_EQ(result["cells"][19]["aggregate"], "trimmed:f=3");  // of four, no more can be trimmed
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
  EXPECT_EQ(accuracy["trimmed"][3], accuracy["median"][3]);  // 7 - 2 · 3 values: the median

  std::istringstream lines(first.out.substr(0, first.out.find("\n{")));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  EXPECT_NE(read(folder / "liars" / "byzantine.svg").find("</svg>"), std::string::npos);
  EXPECT_EQ(json::parse(read(folder / "liars" / "byzantine.json")), result);
  const auto second = run(sweep);
  EXPECT_EQ(second.out, first.out);
  EXPECT_EQ(second.error, "");  // no run is repeated

  const auto more = run(with + " --steps 40 --workers 15 --method krum");
  ASSERT_EQ(more.code, 0) << more.error;
  const json krum = last_line(more.out);
  std::vector<int> byzantine;
  for (const auto& cell : krum["cells"]) byzantine.push_back(cell["liars"]);
  EXPECT_EQ(byzantine, (std::vector{0, 1, 3, 5, 7, 8}));

  expect_refused(with + " --steps 30", 1, "runs of another sweep");
  expect_refused("byzantine --workers 2 --out " + out, 2, "a majority can be honest");
  expect_refused("byzantine --method medain --out " + out, 2, "did you mean median?");
  expect_refused("byzantine --attack sign-filp --out " + out, 2, "did you mean sign-flip?");
  expect_refused("byzantine --attack none --out " + out, 2,
                 "runs without attack are always included");
}

TEST_F(Programs, HelpShowsEveryFlagWithItsDefaultAndAnExample) {
  for (const char* program :
       {"train", "compare", "explain", "bytes", "rosenbrock", "descend", "staleness", "byzantine",
        "step_time", "advise", "export", "inspect", "paper", "report", "whatif"}) {
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
        "--on-failure",  "--record",      "--eval-steps"}) {
    EXPECT_NE(help.find(flag), std::string::npos) << flag;
  }
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

TEST_F(Programs, BytesKnowsLeNet) {
  const auto o = run("bytes --shapes lenet --workers 1 --method none --json");
  ASSERT_EQ(o.code, 0) << o.error;
  const json result = last_line(o.out);
  EXPECT_EQ(result["parameters"], 61'706);
  EXPECT_EQ(result["methods"][0]["message_bytes"], 4 * 61'706);
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

// With more samples or more voters, more signs are correct. The second method keeps only steps
// downhill.
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
    const auto explanation = last_line(o.out);
    EXPECT_EQ(explanation["decoded"].size(), 24U);
    EXPECT_FALSE(explanation["packets"][0]["fields"].empty()) << spec;
    std::istringstream lines(o.out);
    for (std::string line; std::getline(lines, line) && line.front() != '{';) {
      EXPECT_LE(line.size(), 80U) << line;
    }
  }
  EXPECT_EQ(last_line(run("explain sign+ef --json").out)["state"]["ef.residual"],
            last_line(run("explain sign+ef --json").out)["left_unsaid"]);
  EXPECT_NE(run("explain diana --shape 8x64").out.find("diana: alpha = 1 / (1 + omega) = 0.0846"),
            std::string::npos);
  const auto o = run("explain");
  EXPECT_EQ(o.code, 2);
  EXPECT_NE(o.out.find("powersgd"), std::string::npos);
}

}  // namespace
