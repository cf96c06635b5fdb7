// A series of runs: one that fails is a row that says so, and an interruption keeps what is
// finished.
//
//   Series series;
//   for (auto& row : rows) {
//     row.failure = series.run([&] { row.result = train(row.config, ...); });
//     if (series.interrupted()) break;     // this row is unfinished, those after it have not begun
//   }
//   ... report the finished rows ...
//   series.finish();                         // throws what the exit code has to say
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "examples/run/interruption.hpp"
#include "tersegrad/core/parallel.hpp"

namespace terse::run {

class Series {
 public:
  // Empty if the run succeeded; else why there is no result: "diverged at step 412", or the text of
  // its error.
  std::string run(FunctionRef<void()> job);

  bool interrupted() const { return interruption_.has_value(); }
  bool any_succeeded() const { return succeeded_ > 0; }

  // Throws Interrupted after an interruption. Otherwise an Error if a run failed other than by
  // diverging, or if no run succeeded. Exit codes: 130 or 143, 1, and 0 if it returns.
  void finish() const;

 private:
  std::optional<Interrupted> interruption_;
  std::string first_failure_, first_crash_;
  std::int64_t succeeded_ = 0, crashed_ = 0;
};

}  // namespace terse::run
