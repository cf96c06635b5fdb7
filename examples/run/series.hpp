// A series of runs: a run that fails becomes a row with its error, and an interruption keeps the
// finished runs.
//
//   Series series;
//   for (auto& row : rows) {
//     row.failure = series.run([&] { row.result = train(row.config, ...); });
//     if (series.interrupted()) break;     // this row is not finished
//   }
//   ... report the finished rows ...
//   series.finish();                         // throws the error of the series
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "examples/run/interruption.hpp"
#include "tersegrad/core/parallel.hpp"

namespace terse::run {

class Series {
 public:
  // Empty if the run succeeded; otherwise "diverged at step 412", or the text of the error.
  std::string run(FunctionRef<void()> job);

  bool interrupted() const { return interruption_.has_value(); }
  bool any_succeeded() const { return succeeded_ > 0; }

  // Throws Interrupted after an interruption (exit code 130 or 143), and Error (1) if no run
  // succeeded or if a run failed for another reason than divergence.
  void finish() const;

 private:
  std::optional<Interrupted> interruption_;
  std::string first_failure_, first_crash_;
  std::int64_t succeeded_ = 0, crashed_ = 0;
};

}  // namespace terse::run
