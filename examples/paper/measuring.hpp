// Measures the experiments of a piece of work, or takes the rows that are stored.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "examples/paper/claim.hpp"
#include "examples/paper/row_store.hpp"
#include "examples/paper/work.hpp"
#include "tersegrad/core/files.hpp"

namespace terse::paper {

// The rows of experiments: stored ones, or new ones, which are stored unless they are quick.
class Measuring {
 public:
  struct Options {
    bool quick = false;  // nothing is stored
    bool again = false;  // stored rows are not used, unless they cannot be measured
  };
  Measuring(const std::string& folder, Options options);

  // Prints how long the work will take, and locks the folder of the rows, so that no other process
  // measures into it. Throws Error, before hours of measuring, if one does, if data sets are missing,
  // or if rows, or pages where `pages` are to be written, cannot be written.
  void begin(const std::vector<Work>& works, bool pages);
  bool is_stored(const Experiment& experiment) const;
  Row row(const Experiment& experiment, const Rows& rows) const;
  // Throws Error with both files if the row has another rate than the best one of its tuning, which
  // was measured again since.
  void check_rate(const Experiment& experiment, const Rows& rows) const;

 private:
  std::string folder_;
  Options options_;
  RowStore store_;
  std::optional<OutputFolder> locked_;
};

// Adds the rows of the work's experiments that `rows` lacks. Throws if the user interrupts.
void measure(const Work& work, const Measuring& measuring, Rows& rows);

}  // namespace terse::paper
