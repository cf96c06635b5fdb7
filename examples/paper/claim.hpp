// A claim of a paper, and the experiments that decide it.
//
//   experiment   measures numbers, as a JSON object; the finished one is a row, kept in a file
//   claim        reads the rows of its experiments and has a verdict
//   paper        claims and experiments, in the order of the page
//
// docs/papers/README.md states the rules of decision. It was written before the results; tests
// compare its names, texts and numbers of seeds with the claims in this folder, but not its rules.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "examples/run/line_chart.hpp"

namespace terse::paper {

enum class Verdict : std::uint8_t { holds, fails, open };
std::string_view to_string(Verdict verdict);  // "holds", "does not hold here", …

inline Verdict holds_if(bool holds) {
  return holds ? Verdict::holds : Verdict::fails;
}

// The outcome of a claim: what was measured, in one line, and what follows.
struct Finding {
  Verdict verdict = Verdict::open;
  std::string measured;
};

// `whole` is what the pages show; `quick` is a small part of it, which shows that everything runs.
enum class Scale : std::uint8_t { whole, quick };

// A finished experiment. The checks in json's move constructor, which clang-tidy follows, never throw.
struct Row {  // NOLINT(bugprone-exception-escape)
  nlohmann::json result;
  std::string cpu = {};  // that measured it
  double seconds = 0;
};

// Finished experiments by name.
class Rows {
 public:
  void add(const std::string& name, nlohmann::json result) {
    rows_[name] = {.result = std::move(result)};
  }
  void add_row(const std::string& name, Row row) { rows_[name] = std::move(row); }
  bool has(const std::string& name) const { return rows_.contains(name); }
  // Both throw InternalError if the experiment is not one of the claim's.
  const Row& row(const std::string& name) const;
  const nlohmann::json& operator[](const std::string& name) const { return row(name).result; }

 private:
  std::map<std::string, Row> rows_;
};

struct Experiment {
  std::string name;              // also its file; unique; papers may share one
  nlohmann::json configuration;  // whatever changes the result, with the revision of the methods
  double seconds = 0;            // an estimate, on two cores
  std::function<nlohmann::json(const Rows&)> measure;  // reads the rows that it needs
  std::string data = {};                               // the data set that it loads; empty: none
  std::vector<std::string> needs = {};                 // experiments, whose rows come first
  bool measurable = true;  // false: the flags that its claim needs have not been given
  // Of a row that takes long, so that its finished seeds are kept when the user interrupts: `measure`
  // returns it without the array `seeds`, and measure_seed an element of that, for 1 … `seeds`.
  std::int64_t seeds = 0;
  std::function<nlohmann::json(const Rows&, std::uint64_t seed)> measure_seed = {};
};
// Measures the experiment, without the seeds that `begun` has, a result that lacks some. Passes the
// result so far to `keep` after each seed. Throws if the user interrupts.
nlohmann::json measured(const Experiment& experiment, const Rows& rows,
                        const nlohmann::json& begun = {},
                        const std::function<void(const nlohmann::json& so_far)>& keep = {});

// One or more charts, in one SVG file.
using Charts = std::vector<run::LineChart>;

struct Claim {
  std::string name;     // unique within the paper
  std::string claimed;  // what the paper states
  std::vector<std::string> experiments;
  std::function<Finding(const Rows&)> decide;
  std::function<Charts(const Rows&)> draw = {};
  std::function<std::string(const Rows&)> draw_svg = {};  // instead of `draw`: an SVG document
  std::string flags = {};                                 // that its command needs besides
};

struct Paper {
  std::string number;  // of arXiv, or "pays"
  std::string title;
  std::string symbols = {};  // what those of the page mean
  std::string notes = {};    // what else its reader needs, such as the functions of toys
  std::vector<Claim> claims;
  std::vector<Experiment> experiments;
};

// The papers in the order of their pages. `mnist` is the folder of MNIST's files, of which Debian has
// no package; without it an experiment of the first paper cannot be measured.
std::vector<Paper> all_papers(Scale scale, const std::string& mnist = {});
Paper stochastic_sign_descent(Scale scale, const std::string& mnist = {});  // 1905.12938
Paper signsgd(Scale scale);                                                 // 1802.04434
Paper powersgd(Scale scale);                                                // 1905.13727
Paper staleness(Scale scale);                                               // 1910.09466
Paper compression_pays(Scale scale);  // the question that all of them end with

// The paper with this number. UsageError lists the known ones and `all`, which the program takes.
const Paper& find_paper(const std::vector<Paper>& papers, std::string_view number);
// The claim with this name. UsageError lists the paper's claims.
const Claim& find_claim(const Paper& paper, std::string_view name);
const Experiment& find_experiment(const Paper& paper, std::string_view name);
// All experiments that the claim needs, each after those that it needs itself.
std::vector<const Experiment*> experiments_of(const Paper& paper, const Claim& claim);

}  // namespace terse::paper
