#include "examples/run/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "examples/run/output.hpp"

namespace terse::run {
namespace {

// The width of the terminal, or 80 if it is unknown.
std::size_t columns_of(std::FILE* out) {
  winsize size{};
  const bool known = ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  return known ? size.ws_col : 80;
}

}  // namespace

// The bar takes the columns that title and figures leave; below 8 columns the title is shortened.
std::string bar_line(const std::string& title, double part, const std::string& figures,
                     std::size_t columns) {
  constexpr std::size_t kTitle = 20, kLongestBar = 40, kShortestBar = 8;
  const std::size_t rest = columns - std::min(columns, figures.size());
  std::size_t title_width = std::min(kTitle, title.size());
  std::size_t bar = rest - std::min(rest, title_width + 4);
  if (bar < kShortestBar) {
    title_width -= std::min(title_width, kShortestBar - bar);
    bar = rest - std::min(rest, title_width + 4);
  }
  bar = std::min(bar, kLongestBar);
  const auto full = static_cast<std::size_t>(part * static_cast<double>(bar));
  const std::string line =
      fmt::format("{:.{}} [{}{}] {}", title, title_width, std::string(full, '#'),
                  std::string(bar - full, '.'), figures);
  return fmt::format("{:<{}.{}}", line, columns, columns);
}

Progress::Progress(std::string title, std::FILE* out)
    : title_(std::move(title)),
      out_(out),
      terminal_(isatty(fileno(out)) != 0),
      start_(std::chrono::steady_clock::now()) {}

void Progress::step(const StepReport& r) {
  if (!terminal_) return;
  const double part = static_cast<double>(r.step) / static_cast<double>(r.total_steps);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const std::int64_t epochs = (r.total_steps + r.steps_per_epoch - 1) / r.steps_per_epoch;
  const std::int64_t epoch = (r.step - 1) / r.steps_per_epoch + 1;
  const std::string figures =
      fmt::format("{}/{} step {}{} loss {} {:.0f}/s {}", epoch, epochs, r.step,
                  r.skipped_steps > 0 ? fmt::format(" ({} skipped)", r.skipped_steps) : "",
                  number_text(r.loss, 3, 9), r.samples_per_second,
                  r.step < r.total_steps ? duration_text(seconds / part - seconds) : "done");
  write_note('\r' + bar_line(title_, part, figures, columns_of(out_) - 1), out_);
  bar_shown_ = true;
}

void Progress::evaluation(const Evaluation& e) {
  if (terminal_) return;
  write_note(fmt::format("{:<24} epoch {:<5.3g} step {:<6} train loss {}  {}\n", title_, e.epoch,
                         e.step, number_text(e.train_loss, 4, 8), score_text(e)),
             out_);
}

void Progress::drop(const DroppedWorker& d, std::string_view data) {
  finish();
  write_note(fmt::format("worker {} left at step {} ({}); the others continue; {}\n", d.worker,
                         d.step, d.error, data),
             out_);
}

void Progress::finish() {
  if (bar_shown_) write_note("\n", out_);
  bar_shown_ = false;
}

Listener Progress::listener() {
  return {.on_step = [this](const StepReport& r) { step(r); },
          .on_evaluation = [this](const Evaluation& e) { evaluation(e); },
          .on_drop = [this](const DroppedWorker& d, std::string_view data) { drop(d, data); }};
}

std::string number_text(double value, int digits, std::size_t width) {
  if (std::isnan(value)) return "nan";  // not "-nan"
  std::string text = fmt::format("{:.{}f}", value, digits);
  if (text.size() <= width) return text;
  for (int precision = 6; precision > 0; --precision) {
    text = fmt::format("{:.{}g}", value, precision);
    if (text.size() <= width) break;
  }
  return text;
}

std::string score_text(const Evaluation& e) {
  return e.metric == Metric::accuracy
             ? fmt::format("{} accuracy {:.2f} %", split_text(e.split), e.score())
             : fmt::format("{} perplexity {}", split_text(e.split), number_text(e.score(), 2, 10));
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
