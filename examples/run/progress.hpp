// What a person sees while a run goes on: a bar on a terminal, a line an epoch elsewhere.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

#include "examples/run/training.hpp"

namespace terse::run {

class Progress {
 public:
  // `title` stands before everything, for instance the method. `out` is usually standard error.
  Progress(std::string title, std::FILE* out);

  void step(const StepReport& report);
  void evaluation(const Evaluation& evaluation);
  void drop(const DroppedWorker& dropped, std::string_view data);
  void finish();  // leaves the cursor on a line of its own

  // All of the above as a run's listener; the progress must outlive the run.
  Listener listener();

 private:
  std::string title_;
  std::FILE* out_;
  bool terminal_;
  bool bar_shown_ = false;
  std::chrono::steady_clock::time_point start_;
};

// A line of exactly so many columns: the title, a bar that is full to this part, and the figures.
std::string bar_line(const std::string& title, double part, const std::string& figures,
                     std::size_t columns);
// A number for people: so many digits after the point, or as %g where that is more than `width`
// characters. "90.49", "1.2e+30", "nan", "inf".
std::string number_text(double value, int digits, std::size_t width);
// "test accuracy 89.20 %", "perplexity 112.3"; and what is trained on: images, tokens.
std::string score_text(const Evaluation& evaluation);
const char* sample_name(Metric metric);
// "1 h 02 min", "3 min 20 s", "12 s"
std::string duration_text(double seconds);
// "246.8 KB": powers of ten.
std::string bytes_text(double bytes);
// "61 706"
std::string thousands_text(double value);

}  // namespace terse::run
