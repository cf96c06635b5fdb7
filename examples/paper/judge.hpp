// Measures what a piece of work needs, judges its claims, and prints the verdicts.
#pragma once

#include <string>
#include <vector>

#include "examples/paper/page.hpp"
#include "examples/paper/row_store.hpp"
#include "examples/paper/work.hpp"

namespace terse::paper {

// The rows of experiments: stored ones, or new ones, which are stored unless they are quick.
class Measuring {
 public:
  struct Options {
    bool quick = false;  // nothing is stored
    bool again = false;  // stored rows are not used
  };
  Measuring(const std::string& folder, Options options);

  // Throws Error if rows could not be stored, before hours of measuring.
  void check_store() const;
  bool is_stored(const Experiment& experiment) const;
  Row row(const Experiment& experiment, const Rows& rows) const;
  // Throws Error with both files if the row has another rate than the best one of its tuning, which
  // was measured again since.
  void check_rate(const Experiment& experiment, const Rows& rows) const;

 private:
  Options options_;
  RowStore store_;
};

// Prints the experiments with the time of those that are left.
void print_plan(const std::vector<Work>& works, const Measuring& measuring);

// Adds the rows of the work's experiments that `rows` lacks. Throws if the user interrupts.
void measure(const Work& work, const Measuring& measuring, Rows& rows);

// Prints the paper's title, a verdict for each claim and a summary.
std::vector<Judged> judge(const Work& work, const Rows& rows);

}  // namespace terse::paper
