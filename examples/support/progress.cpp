#include "examples/support/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace terse::run {

Progress::Progress(std::string title, std::FILE* out)
    : title_(std::move(title)),
      out_(out),
      terminal_(isatty(fileno(out)) != 0),
      start_(std::chrono::steady_clock::now()) {}

void Progress::step(const StepReport& r) {
  if (!terminal_) return;
  constexpr int kBarWidth = 16;
  const double part = static_cast<double>(r.step) / static_cast<double>(r.total_steps);
  const int full = static_cast<int>(part * kBarWidth);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const std::int64_t epochs = (r.total_steps + r.steps_per_epoch - 1) / r.steps_per_epoch;
  const std::int64_t epoch = (r.step - 1) / r.steps_per_epoch + 1;
  // At most 79 columns: the title gives way.
  const std::string line = fmt::format(
      "{:<20.20} [{}{}] {}/{} step {} loss {:.3f} {:.0f}/s {}", title_, std::string(full, '#'),
      std::string(kBarWidth - full, '.'), epoch, epochs, r.step, r.loss, r.samples_per_second,
      r.step < r.total_steps ? duration_text(seconds / part - seconds) : "done");
  fmt::print(out_, "\r{:<79.79}", line);
  std::fflush(out_);
  bar_shown_ = true;
}

void Progress::evaluation(const Evaluation& e) {
  if (terminal_) return;
  fmt::print(out_, "{:<24} epoch {:<5.3g} step {:<6} train loss {:.4f}  {}\n", title_, e.epoch,
             e.step, e.train_loss, score_text(e));
  std::fflush(out_);
}

void Progress::drop(const DroppedWorker& d) {
  finish();
  fmt::print(out_, "worker {} is lost at step {} ({}); the others go on\n", d.worker, d.step,
             d.error);
  std::fflush(out_);
}

void Progress::finish() {
  if (bar_shown_) fmt::print(out_, "\n");
  bar_shown_ = false;
}

Listener Progress::listener() {
  return {.on_step = [this](const StepReport& r) { step(r); },
          .on_evaluation = [this](const Evaluation& e) { evaluation(e); },
          .on_drop = [this](const DroppedWorker& d) { drop(d); }};
}

std::string score_text(const Evaluation& e) {
  return e.metric == Metric::accuracy ? fmt::format("test accuracy {:.2f} %", e.score())
                                      : fmt::format("perplexity {:.2f}", e.score());
}

const char* sample_name(Metric metric) {
  return metric == Metric::accuracy ? "images" : "tokens";
}

std::string duration_text(double seconds) {
  const auto s = static_cast<long>(std::max(0.0, std::ceil(seconds)));
  if (s >= 3600) return fmt::format("{} h {:02} min", s / 3600, s / 60 % 60);
  if (s >= 60) return fmt::format("{} min {:02} s", s / 60, s % 60);
  return fmt::format("{} s", s);
}

std::string bytes_text(double bytes) {
  if (bytes >= 1e9) return fmt::format("{:.2f} GB", bytes / 1e9);
  if (bytes >= 1e6) return fmt::format("{:.2f} MB", bytes / 1e6);
  if (bytes >= 1e3) return fmt::format("{:.1f} KB", bytes / 1e3);
  return fmt::format("{:.0f} B", bytes);
}

std::string thousands_text(double value) {
  std::string digits = fmt::format("{:.0f}", value);
  const std::size_t first = digits.front() == '-' ? 1 : 0;
  for (auto i = static_cast<std::ptrdiff_t>(digits.size()) - 3;
       i > static_cast<std::ptrdiff_t>(first); i -= 3) {
    digits.insert(static_cast<std::size_t>(i), " ");
  }
  return digits;
}

}  // namespace terse::run
