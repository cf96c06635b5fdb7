// The program paper: its rows, pages, quick runs and errors, and the table of claims.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "examples/paper/claim.hpp"
#include "examples/paper/comparisons.hpp"
#include "examples/paper/measuring.hpp"
#include "examples/paper/row_store.hpp"
#include "examples/paper/work.hpp"
#include "program_fixture.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"

namespace terse::paper {
namespace {

class Papers : public ProgramFixture {};

TEST_F(Papers, ARowIsThatOfItsConfiguration) {
  const RowStore store(folder / "data");
  int measured = 0;
  const auto experiment = [&](int revision) {
    return Experiment{
        .name = "toys/one", .configuration = {{"revision", revision}}, .measure = [&](const Rows&) {
          return nlohmann::json{{"value", ++measured}};
        }};
  };
  EXPECT_FALSE(store.find(experiment(1)));
  EXPECT_EQ(store.measure(experiment(1), {}).result["value"], 1);
  EXPECT_EQ(store.find(experiment(1))->result["value"], 1);
  EXPECT_FALSE(store.find(experiment(2))) << "of another revision";
  const auto row = nlohmann::json::parse(read(folder / "data/toys/one.json"));
  EXPECT_FALSE(row["cpu"].get<std::string>().empty());
  EXPECT_GE(row["seconds"].get<double>(), 0);
  auto of_wrong_type = row;
  of_wrong_type["seconds"] = "x";
  for (const std::string& damaged : {std::string("{\"configuration\": {"), of_wrong_type.dump()}) {
    std::ofstream(folder / "data/toys/one.json") << damaged;
    try {
      store.find(experiment(1));
      ADD_FAILURE() << damaged;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("data/toys/one.json: expected"), std::string::npos)
          << e.what();
    }
  }
}

TEST_F(Papers, AnInterruptedRowGoesOnWithTheSeedThatItLacks) {
  const RowStore store(folder / "data");
  std::vector<std::uint64_t> measured;
  bool interrupts = true;
  double rate = 1;
  const Experiment experiment{.name = "toys/seeds",
                              .configuration = {{"revision", 1}},
                              .measure =
                                  [&](const Rows&) {
                                    return nlohmann::json{{"lr", rate}};
                                  },
                              .seeds = 3,
                              .measure_seed =
                                  [&](const Rows&, std::uint64_t seed) {
                                    if (interrupts && seed == 3) throw Error("interrupted");
                                    measured.push_back(seed);
                                    return nlohmann::json{{"score", seed}};
                                  }};
  EXPECT_THROW(store.measure(experiment, {}), Error);
  EXPECT_FALSE(store.find(experiment));
  interrupts = false;
  const nlohmann::json whole = {{"lr", 1},
                                {"seeds", {{{"score", 1}}, {{"score", 2}}, {{"score", 3}}}}};
  EXPECT_EQ(store.measure(experiment, {}).result, whole);
  EXPECT_EQ(measured, (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(store.find(experiment)->result, whole);
  EXPECT_FALSE(fs::exists(folder / "data/toys/seeds.json.begun"));

  interrupts = true;
  EXPECT_THROW(store.measure(experiment, {}), Error);
  rate = 2;  // the tuning was measured again
  interrupts = false;
  measured.clear();
  EXPECT_EQ(store.measure(experiment, {}).result["lr"], 2);
  EXPECT_EQ(measured.size(), 3U) << "seeds at another rate are no part of this row";
}

// The cells of the claims in docs/papers/README.md.
std::vector<std::vector<std::string>> table_of_claims() {
  std::ifstream table(fs::path(TERSE_SOURCE_DIR) / "docs/papers/README.md");
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(table, line);) {
    if (!line.starts_with("| `")) continue;
    auto& cells = rows.emplace_back();
    for (std::size_t from = 2, bar; (bar = line.find(" | ", from)) != std::string::npos;) {
      cells.push_back(line.substr(from, bar - from));
      from = bar + 3;
    }
  }
  return rows;
}

TEST_F(Papers, TheTableHasTheSeedsOfTheExperiments) {
  std::map<std::string, std::string> stated;  // some names are those of two papers' claims
  for (const auto& cells : table_of_claims()) stated[cells.at(0) + cells.at(1)] = cells.at(4);
  for (const auto& paper : all_papers(Scale::whole)) {
    for (const auto& claim : paper.claims) {
      const auto& seeds = stated["`" + claim.name + "`" + claim.claimed];
      if (seeds.find_first_not_of("0123456789") != std::string::npos)
        continue;  // exact, or a remark
      std::int64_t most = 0;
      for (const auto& name : claim.experiments) {
        const auto& configuration = find_experiment(paper, name).configuration;
        most = std::max(most, configuration.value("seeds", std::int64_t{0}));
      }
      EXPECT_EQ(fmt::format("{}", most), seeds) << paper.number << ": " << claim.name;
    }
  }
}

TEST_F(Papers, TheTableHasTheClaimsInTheOrderOfThePages) {
  std::vector<std::pair<std::string, std::string>> stated, claims;
  for (const auto& cells : table_of_claims()) {
    const auto& name = cells.at(0);
    stated.emplace_back(name.substr(1, name.size() - 2), cells.at(1));
  }
  for (const auto& paper : all_papers(Scale::whole, "mnist")) {
    for (const auto& claim : paper.claims) claims.emplace_back(claim.name, claim.claimed);
  }
  EXPECT_EQ(stated, claims);
}

TEST_F(Papers, EveryExperimentDecidesAClaimAndHasAFileOfItsOwn) {
  std::map<std::string, nlohmann::json> configurations;
  for (const auto& paper : all_papers(Scale::whole, "mnist")) {
    std::set<std::string> used;
    for (const auto& claim : paper.claims) {
      for (const auto* experiment : experiments_of(paper, claim)) used.insert(experiment->name);
    }
    for (const auto& experiment : paper.experiments) {
      EXPECT_TRUE(used.contains(experiment.name)) << experiment.name << " decides no claim";
      EXPECT_TRUE(experiment.configuration.contains("revision")) << experiment.name;
      EXPECT_GT(experiment.seconds, 0) << experiment.name;
      const auto [known, added] = configurations.emplace(experiment.name, experiment.configuration);
      EXPECT_EQ(known->second, experiment.configuration) << "two experiments share a file";
    }
  }
}

// Fashion-MNIST's files have the names and the format of MNIST's.
TEST_F(Papers, AClaimIsMeasuredOnMnistIfItsFolderIsGiven) {
  const std::string claim = "paper 1905.12938 --quick --json --claim megabytes-mnist";
  expect_refused(claim, 2,
                 "1905.12938: claim 'megabytes-mnist' can only be measured with --mnist FOLDER");
  const auto missing = run(claim + " --mnist " + (folder / "nowhere").string());
  EXPECT_EQ(missing.code, 1);
  EXPECT_NE(missing.error.find("nowhere"), std::string::npos) << missing.error;
  const auto other = run("paper 1802.04434 --quick --mnist " + folder.string());
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.error.find("got 1802.04434"), std::string::npos) << other.error;
  const auto o = run(claim + " --mnist /usr/share/datasets/fashion-mnist");
  ASSERT_EQ(o.code, 0) << o.error;
  EXPECT_NE(o.out.find("Δ signsgd − sgd, batch 128:"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("--claim megabytes-mnist --mnist FOLDER --again"), std::string::npos)
      << o.out;
}

TEST_F(Papers, AStoredClaimOnMnistNeedsNoFolder) {
  const auto paper = stochastic_sign_descent(Scale::whole);
  const auto& experiment = find_experiment(paper, "perceptron/megabytes-mnist");
  EXPECT_EQ(experiment.configuration,
            find_experiment(stochastic_sign_descent(Scale::whole, "folder"), experiment.name)
                .configuration);
  const auto page = [&] {
    const auto o = run("paper 1905.12938 --stored --folder " + (folder / "papers").string());
    EXPECT_EQ(o.code, 0) << o.error;
    return read(folder / "papers/1905.12938.md");
  };
  fs::create_directories(folder / "papers/data/perceptron");
  EXPECT_NE(page().find(", megabytes-mnist (needs `--mnist FOLDER`),"), std::string::npos)
      << "not measured yet";
  nlohmann::json methods;
  for (const char* name : {"signsgd", "sgd"}) {
    const nlohmann::json budget = {{"steps", 9}, {"rate", 0.1}, {"scores", {80, 81, 82}}};
    methods.push_back(
        {{"name", name}, {"bytes", 1}, {"budgets", {budget, budget, budget, budget}}});
  }
  std::ofstream(folder / "papers/data/perceptron/megabytes-mnist.json")
      << nlohmann::json{{"configuration", experiment.configuration},
                        {"cpu", "one"},
                        {"seconds", 1},
                        {"result", {{"megabytes", {0.5, 1, 2, 4}}, {"methods", methods}}}};
  EXPECT_NE(page().find("### megabytes-mnist"), std::string::npos);
  const auto claim =
      "paper 1905.12938 --claim megabytes-mnist --folder " + (folder / "papers").string();
  EXPECT_EQ(run(claim).code, 0);
  expect_refused(claim + " --again", 2, "can only be measured with --mnist FOLDER");
}

TEST_F(Papers, QuickRunsEndInVerdictsAndWriteNothing) {
  const auto quick = " --quick --json --folder " + (folder / "papers").string();
  const auto o = run("paper 1905.12938 1910.09466" + quick);
  ASSERT_EQ(o.code, 0) << o.error;
  std::istringstream lines(o.out);
  for (std::string line; std::getline(lines, line) && !line.starts_with('{');) {
    const auto continues = [](char c) { return (c & 0xC0) == 0x80; };
    const auto width = std::ssize(line) - std::ranges::count_if(line, continues);
    EXPECT_LE(width, 80) << "characters, of which some take several bytes: " << line;
  }
  EXPECT_NE(
      o.out.find("claimed   Lemma 1: with unimodal symmetric noise ρ ≥ 1/2 + S/(2(S + √3))\n"),
      std::string::npos)
      << "72 characters in one line";
  const auto result = last_line(o.out);
  std::size_t claims = 0;
  for (const auto& paper : all_papers(Scale::quick)) {
    const bool chosen = paper.number == "1905.12938" || paper.number == "1910.09466";
    if (!chosen) continue;
    for (const auto& claim : paper.claims) claims += claim.flags.empty() ? 1 : 0;
  }
  ASSERT_EQ(result["claims"].size(), claims);
  for (const auto& claim : result["claims"]) {
    for (const char* key : {"name", "claimed", "measured", "verdict", "command"}) {
      EXPECT_FALSE(claim.at(key).get<std::string>().empty()) << claim;
    }
  }
  EXPECT_FALSE(fs::exists(folder / "papers"));
}

TEST_F(Papers, PapersShareTheirExperiments) {
  int times = 0;
  const auto paper = [&](const std::string& number) {
    return Paper{.number = number,
                 .title = "",
                 .claims = {{.name = "a", .claimed = "", .experiments = {"one"}, .decide = {}}},
                 .experiments = {{.name = "one", .configuration = {}, .measure = [&](const Rows&) {
                                    return nlohmann::json(++times);
                                  }}}};
  };
  const std::vector<Paper> papers = {paper("1"), paper("2")};
  const Measuring measuring((folder / "papers").string(), {.quick = true});
  Rows rows;
  for (const auto& work : work_of(papers, {"all"}, std::nullopt)) measure(work, measuring, rows);
  EXPECT_EQ(times, 1);
  EXPECT_EQ(rows["one"], 1);
}

TEST_F(Papers, APaperThatIsNamedTwiceIsJudgedOnce) {
  const auto papers = all_papers(Scale::quick);
  const auto works = work_of(papers, {"pays", "all", "pays"}, std::nullopt);
  ASSERT_EQ(works.size(), papers.size());
  EXPECT_EQ(works.front().paper->number, "pays");
  EXPECT_EQ(work_of(papers, {"pays", "pays"}, "pays-slow").size(), 1U);
}

TEST_F(Papers, TwoExperimentsHaveTwoNames) {
  Paper paper{.number = "1", .title = "", .claims = {}, .experiments = {}};
  const auto experiment = [](int revision) {
    return Experiment{.name = "one", .configuration = {{"revision", revision}}, .measure = {}};
  };
  add_once(paper, experiment(1));
  add_once(paper, experiment(1));
  EXPECT_EQ(paper.experiments.size(), 1U);
  EXPECT_THROW(add_once(paper, experiment(2)), InternalError);
}

TEST_F(Papers, TrainedModelsAreComparedAtTheirBestRates) {
  const auto o = run("paper 1905.13727 --quick --json --claim warm-start");
  ASSERT_EQ(o.code, 0) << o.error;
  const auto claim = last_line(o.out)["claims"][0];
  EXPECT_EQ(claim["verdict"], "cannot be told at this scale");  // a quick run has one seed
  EXPECT_NE(claim["measured"].get<std::string>().find("(rate 0."), std::string::npos) << claim;
}

TEST_F(Papers, ExactClaimsNeedNoWholeRun) {
  const auto claim = [&](const std::string& name) {
    const auto o = run("paper 1802.04434 --quick --json --claim " + name);
    EXPECT_EQ(o.code, 0) << o.error;
    return last_line(o.out)["claims"][0];
  };
  const auto limit = claim("adam-limit");
  EXPECT_EQ(limit["verdict"], "holds") << limit;
  EXPECT_TRUE(limit["measured"].get<std::string>().starts_with(
      "largest difference 0: 0 of 50890 parameters differ"))
      << limit;
  const auto traffic = claim("vote-traffic");
  EXPECT_EQ(traffic["verdict"], "holds") << traffic;
  EXPECT_NE(traffic["measured"].get<std::string>().find("lenet: 370236 / 11574 = 31.989;"),
            std::string::npos)
      << "2 · 3/4 of 4 · 61 706 bytes, and of 4 · 1929 of signs; " << traffic;
}

TEST_F(Papers, StoredRowsMakeThePage) {
  const auto papers = (folder / "papers").string();
  const auto one = "paper 1905.12938 --claim counter-example --json --folder " + papers;
  const auto first = run(one);
  ASSERT_EQ(first.code, 0) << first.error;
  const auto row = folder / "papers/data/signs/counter-example.json";
  const auto stored = read(row);
  auto changed = nlohmann::json::parse(stored);
  changed["result"]["signs"] = {0.5};
  std::ofstream(row) << changed;
  EXPECT_EQ(last_line(run(one).out)["claims"][0]["verdict"], "does not hold here");
  changed["result"].erase("signs");
  std::ofstream(row) << changed;
  const auto lacking = run(one);
  EXPECT_EQ(lacking.code, 1);
  EXPECT_NE(lacking.error.find("1905.12938: claim 'counter-example': its rows are not as it reads "
                               "them"),
            std::string::npos)
      << lacking.error;
  EXPECT_TRUE(lacking.error.ends_with("paper 1905.12938 --claim counter-example --again\n"))
      << lacking.error;
  const auto again = run(one + " --again");
  EXPECT_EQ(last_line(again.out), last_line(first.out));
  EXPECT_EQ(nlohmann::json::parse(read(row))["result"], nlohmann::json::parse(stored)["result"]);
  const auto page = run("paper 1905.12938 --stored --json --folder " + papers);
  EXPECT_EQ(last_line(page.out)["claims"].size(), 4U) << "three read this row, one reads none";
  EXPECT_NE(read(folder / "papers/1905.12938.md").find("Not measured yet: "), std::string::npos);
  EXPECT_EQ(read(folder / "papers/1905.12938.md").find("Quantity: "), std::string::npos)
      << "no table of claims";
  std::ofstream(folder / "papers/README.md")
      << "## 1802.04434: a paper with a claim of this name\n"
         "| `counter-example` | … | none | none | 1 |\n"
         "## 1905.12938: stochastic sign descent\n"
         "| claim | states | quantity | decision | seeds |\n|---|---|---|---|---|\n"
         "| `counter-example-ssdm` | … | none | none | 1 |\n"
         "| `counter-example` | … | f / f(x₀) | no less than 1 | exact |\n";
  run("paper 1905.12938 --stored --folder " + papers);
  EXPECT_NE(read(folder / "papers/1905.12938.md")
                .find("\n\nQuantity: f / f(x₀). Decision: no less than 1.\n\n* "),
            std::string::npos)
      << read(folder / "papers/1905.12938.md");
  const auto nothing = run("paper pays --stored --folder " + papers);
  EXPECT_NE(nothing.out.find("No claim has all of its experiments"), std::string::npos)
      << nothing.out;
  EXPECT_FALSE(fs::exists(folder / "papers/pays.md")) << "a page without a claim";
  const auto plan = run("paper 1905.12938 --plan --folder " + papers);
  EXPECT_NE(plan.out.find("measured"), std::string::npos) << plan.out;
  EXPECT_NE(plan.out.find("What is left will take about"), std::string::npos) << plan.out;
}

TEST_F(Papers, RunsHaveTheBestRateOfTheirTuning) {
  const auto paper = staleness(Scale::whole);
  const auto store = [&](const Experiment& experiment, const nlohmann::json& result) {
    const auto file = folder / "papers/data" / (experiment.name + ".json");
    fs::create_directories(file.parent_path());
    std::ofstream(file) << nlohmann::json{{"configuration", experiment.configuration},
                                          {"cpu", "one"},
                                          {"seconds", 1},
                                          {"result", result}};
  };
  const auto* const traffic = "paper 1910.09466 --claim traffic --stored --folder ";
  for (const double best : {0.1, 0.2}) {
    for (const auto* experiment : experiments_of(paper, find_claim(paper, "traffic"))) {
      const bool tunes = experiment->name.find("/tuning/") != std::string::npos;
      const nlohmann::json seed = {{"bytes_sent_per_worker", 100}, {"steps", 1}};
      store(*experiment, tunes ? nlohmann::json{{"best", best}}
                               : nlohmann::json{{"lr", 0.1}, {"seeds", {seed}}});
    }
    const auto o = run(traffic + (folder / "papers").string());
    EXPECT_EQ(o.code, best == 0.1 ? 0 : 1) << o.error;
    if (best == 0.1) continue;
    for (const char* part : {"data/async-16/dense.json: its runs have the rate 0.1",
                             "data/async-16/tuning/dense.json was measured again", "--again"}) {
      EXPECT_NE(o.error.find(part), std::string::npos) << o.error;
    }
  }
}

TEST_F(Papers, AMissingDataSetIsAnErrorWithTheClaimsThatDoWithoutIt) {
  const auto paper = powersgd(Scale::quick);
  const std::function<bool(const std::string&)> reads_text = [&](const std::string& name) {
    const auto& experiment = find_experiment(paper, name);
    return experiment.data.starts_with("kjv") || std::ranges::any_of(experiment.needs, reads_text);
  };
  std::string others;
  for (const auto& claim : paper.claims) {
    if (std::ranges::any_of(claim.experiments, reads_text)) continue;
    others += (others.empty() ? "" : ", ") + claim.name;
  }
  ASSERT_NE(others, "");
  const auto expect_missing = [&](const std::string& claim, const std::string& listed) {
    const auto o = run_shell("env TERSE_DATA=" + folder.string() + " " + bin +
                             "paper 1905.13727 --quick" + claim);
    EXPECT_EQ(o.code, 1) << o.error;
    EXPECT_NE(o.error.find("kjv: no such file: '" + (folder / "kjv.txt").string() + "'"),
              std::string::npos)
        << o.error;
    EXPECT_TRUE(o.error.ends_with("; claims that do without it (--claim): " + listed + "\n"))
        << o.error;
    EXPECT_EQ(o.out, "");
  };
  expect_missing("", others);
  expect_missing(" --claim rank-language", "none");
}

TEST_F(Papers, AllMissingDataSetsAreNamedAtOnce) {
  const auto experiment = [](const std::string& name, const std::string& data) {
    return Experiment{.name = name, .configuration = {}, .measure = {}, .data = data};
  };
  const auto claim = [](const std::string& name, const std::vector<std::string>& experiments) {
    return Claim{.name = name, .claimed = "", .experiments = experiments, .decide = {}};
  };
  const auto paper = [&](const std::string& number, const std::vector<Claim>& claims) {
    return Paper{
        .number = number,
        .title = "",
        .claims = claims,
        .experiments = {experiment("images", "fashion-mnist:path=/nowhere"),
                        experiment("few-images", "fashion-mnist:path=/nowhere,train=9"),
                        experiment("text", "kjv:path=/nowhere/kjv.txt"),
                        experiment("blobs", "synthetic:train=8,test=8"), experiment("exact", "")}};
  };
  const auto one = paper("1", {claim("a", {"exact"}), claim("b", {"images"}), claim("c", {"text"}),
                               claim("d", {"few-images", "text"}), claim("e", {"blobs"})});
  const auto two = paper("2", {claim("f", {"exact"})}), three = paper("3", {claim("g", {"text"})});
  const auto error_of = [](const std::vector<Paper>& papers, const std::string& stored) {
    const auto works = work_of(papers, {"all"}, std::nullopt);
    try {
      check_data(works, [&](const Experiment& e) { return e.name == stored; });
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  const auto both = error_of({one}, "");
  EXPECT_TRUE(both.starts_with("2 data sets cannot be loaded: fashion-mnist: no such directory: "))
      << both;
  EXPECT_EQ(count_of(both, "fashion-mnist: no such"), 1) << "two parts of one set: " << both;
  EXPECT_NE(both.find("; kjv: no such file: '/nowhere/kjv.txt'; "), std::string::npos) << both;
  EXPECT_TRUE(both.ends_with("; claims that do without them (--claim): a, e")) << both;
  const auto stored = error_of({one}, "text");
  EXPECT_TRUE(stored.starts_with("fashion-mnist: no such directory: ")) << stored;
  EXPECT_TRUE(stored.ends_with("; claims that do without it (--claim): a, c, e")) << stored;
  const auto all = error_of({one, two, three}, "");
  EXPECT_TRUE(all.ends_with(" (--claim): 1: a, e; 2: all; 3: none")) << all;
  EXPECT_EQ(error_of({two}, ""), "");
}

TEST_F(Papers, WrongInputIsAClearError) {
  expect_refused("paper", 2, "expected a paper: 1905.12938, ");
  expect_refused("paper 1905.1293", 2, "paper '1905.1293' is not known; did you mean 1905.12938?");
  expect_refused("paper 1234.5678", 2, "1910.09466, all, pays");
  expect_refused("paper all --claim plateau", 2, "--claim: expected one paper");
  expect_refused("paper 1905.12938 --claim plato", 2,
                 "1905.12938: claim 'plato' is not known; known: plateau, ");
  expect_refused("paper 1905.12938 --claim ''", 2, "1905.12938: claim '' is not known; known: ");
  expect_refused("paper 1905.12938 --folder ''", 2, "--folder: expected a folder");
  for (const auto* flag : {"--quick", "--again"}) {
    expect_refused(std::string("paper all --stored ") + flag, 2, "leave out --quick and --again");
  }
  for (const auto* flag : {"--quick", "--stored", "--json"}) {
    expect_refused(std::string("paper all --plan ") + flag, 2,
                   "leave out --quick, --stored and --json");
  }
}

TEST_F(Papers, AFolderThatCannotBeUsedIsAnErrorBeforeMeasuring) {
  const auto file = (folder / "file").string(), nowhere = (folder / "nowhere").string();
  std::ofstream(file) << "not a folder";
  // The line of an experiment that is measured would be a second one.
  expect_refused("paper 1905.12938 --claim counter-example --folder " + file, 1,
                 "folder '" + file + "/data': cannot be created: Not a directory");
  expect_refused("paper 1905.12938 --claim counter-example --folder /proc/nowhere", 1,
                 "folder '/proc/nowhere/data': cannot be created: ");
  expect_refused("paper 1905.12938 --stored --folder " + nowhere, 1,
                 "--stored: no folder '" + nowhere + "/data'");
  EXPECT_FALSE(fs::exists(nowhere));
}

TEST_F(Papers, TwoProcessesDoNotMeasureIntoOneFolder) {
  const auto command =
      "paper 1905.12938 --claim counter-example --folder " + (folder / "papers").string();
  {
    const OutputFolder other(folder / "papers/data");
    expect_refused(command, 1, "papers/data': another process is writing to it");
    EXPECT_EQ(run(command + " --quick").code, 0) << "it writes nothing";
  }
  EXPECT_EQ(run(command).code, 0);
  const OutputFolder other(folder / "papers/data");
  EXPECT_EQ(run(command).code, 0) << "it measures nothing";
}

TEST_F(Papers, AFolderOfPagesThatCannotBeWrittenIsAnErrorBeforeMeasuring) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  const auto papers = folder / "papers";
  fs::create_directories(papers / "data");
  fs::permissions(papers, fs::perms::owner_read | fs::perms::owner_exec);
  expect_refused("paper pays --folder " + papers.string(), 1, "papers': cannot be written to: ");
  fs::permissions(papers, fs::perms::owner_all);
}

TEST_F(Papers, WithoutOneAllAreNamed) {
  const auto o = run("paper");
  EXPECT_EQ(o.code, 2);
  for (const auto& paper : all_papers(Scale::quick)) {
    EXPECT_NE(o.error.find(paper.number + ","), std::string::npos) << o.error;
  }
}

}  // namespace
}  // namespace terse::paper
