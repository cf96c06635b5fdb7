// Progress of a run for people: a bar on a terminal, elsewhere a line for each evaluation.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

#include "examples/run/training.hpp"

namespace terse::run {

class Progress {
 public:
  // `title` begins each line, for instance the method. `out` is usually standard error.
  Progress(std::string title, std::FILE* out);

  void step(const StepReport& report);
  void evaluation(const Evaluation& evaluation);
  void drop(const DroppedWorker& dropped, std::string_view data);
  void finish();  // ends the line of the bar

  // Calls the functions above; the progress must outlive the run.
  Listener listener();

 private:
  std::string title_;
  std::FILE* out_;
  bool terminal_;
  bool bar_shown_ = false;
  std::chrono::steady_clock::time_point start_;
};

// A line of `columns` characters: the title, a bar of which `part` in [0, 1] is full, the figures.
std::string bar_line(const std::string& title, double part, const std::string& figures,
                     std::size_t columns);
// `digits` digits after the point, or %g if that takes more than `width` characters: "90.49",
// "1.2e+30", "nan", "inf".
std::string number_text(double value, int digits, std::size_t width);
// "test accuracy 89.20 %", "validation perplexity 112.3"; the samples: "images", "tokens".
std::string score_text(const Evaluation& evaluation);
const char* sample_name(Metric metric);
// "1 h 02 min", "3 min 20 s", "12 s"
std::string duration_text(double seconds);
// "246.8 KB": 1 KB is 1000 bytes.
std::string bytes_text(double bytes);
// "61 706"
std::string thousands_text(double value);

}  // namespace terse::run
