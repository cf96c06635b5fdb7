#include "examples/train/report.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "examples/run/density_probe.hpp"
#include "examples/run/log_line.hpp"
#include "examples/run/output.hpp"

namespace terse::run {
namespace {

void print_times(const char* title, const PartTimes& times) {
  print("{}", title);
  for (std::size_t i = 0; i < kParts; ++i) {
    print(" {} {:.2f}", kPartNames[i], 1e3 * times.seconds[i]);
  }
  print("\n");
}

}  // namespace

namespace {

double wall_time() {  // seconds since 1970
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void write_events(EventFile& events, const StepReport& r) {
  const auto scalar = [&](const char* tag, double value) {
    events.scalar(tag, r.step, wall_time(), static_cast<float>(value));
  };
  scalar("train/loss", r.loss);
  scalar("train/lr", r.lr);
  scalar("train/bytes_sent", static_cast<double>(r.bytes_sent));
  scalar("train/samples_per_second", r.samples_per_second);
  if (r.mean_staleness) scalar("train/mean_staleness", *r.mean_staleness);
}

void write_events(EventFile& events, const Evaluation& e) {
  const auto scalar = [&](const char* tag, double value) {
    events.scalar(fmt::format("{}/{}", to_string(e.split), tag), e.step, wall_time(),
                  static_cast<float>(value));
  };
  scalar("loss", e.loss);
  if (e.metric == Metric::accuracy) {
    scalar("accuracy", e.accuracy);
  } else {
    scalar("perplexity", e.score());
  }
}

void note_short_log(const Continuation& past) {
  const auto file = past.folder / kLogFile;
  std::error_code none;
  const auto bytes = std::filesystem::exists(file, none) ? std::filesystem::file_size(file) : 0;
  if (bytes >= past.checkpoint.log_bytes()) return;
  note(
      "train: '{}' has {} of the {} bytes that it had at the checkpoint: earlier lines are "
      "missing\n",
      file.string(), bytes, past.checkpoint.log_bytes());
}

}  // namespace

RunReporter::RunReporter(const RunLabel& label, bool records, bool tensorboard,
                         const Continuation* past)
    : label_(label),
      tensorboard_(tensorboard && records),
      progress_(label.config.compressor, stderr) {
  const auto& out = label.config.out;
  if (!out || !records) return;
  if (past == nullptr) {
    folder_.emplace(*out, to_json(label.config));
  } else if (std::error_code none; std::filesystem::equivalent(*out, past->folder, none)) {
    note_short_log(*past);
    folder_.emplace(RunFolder::resume(past->folder, past->checkpoint.log_bytes(), past->config));
  } else {
    folder_.emplace(RunFolder::resume_in(*out, past->checkpoint.file(),
                                         past->checkpoint.log_bytes(), past->config));
  }
}

EventFile* RunReporter::events() {
  if (!tensorboard_) return nullptr;
  if (!events_) events_.emplace(*label_.config.out, wall_time());
  return &*events_;
}

void RunReporter::save(const RunState& state) {
  if (!folder_) return;
  folder_->write_checkpoint([&](std::ostream& out) { write_checkpoint(out, state, label_); });
}

Listener RunReporter::listener() {
  Listener listener{
      .on_step =
          [this](const StepReport& r) {
            if (auto* file = events()) write_events(*file, r);
            progress_.step(r);
          },
      .on_evaluation =
          [this](const Evaluation& e) {
            if (auto* file = events()) write_events(*file, e);
            progress_.evaluation(e);
          },
      .on_health = [this](const HealthReport& h) { last_health_ = h; },
      .on_law_check = [this] { ++law_checks_; },
      .on_drop = [this](const DroppedWorker& d, std::string_view data) { progress_.drop(d, data); },
      .log_bytes = [this] { return folder_ ? folder_->log_bytes() : 0; }};
  if (label_.config.out) listener.on_checkpoint = [this](const RunState& state) { save(state); };
  if (tensorboard_) {
    listener.on_weights = [this](std::int64_t step, const std::string& name,
                                 std::span<const float> values) {
      events()->histogram("weights/" + name, step, wall_time(), values);
    };
  }
  return with_log(std::move(listener), [this](const nlohmann::json& line) { log(line); });
}

void RunReporter::finish() {
  if (folder_) folder_->finish();
  if (events_) events_->finish();
  progress_.finish();
}

void print_densities(const std::vector<DensityReport>& reports) {
  if (reports.empty()) return;
  print("{:>6} {:>8} {:>11} {:>9} {:>9} {:>9} {:>7} {:>8}\n", "epoch", "batches", "phi(mean)",
        "phi(std)", "mean SNR", "max SNR", "< 1.15", "P(below)");
  for (const auto& report : reports) {
    const auto& whole = report.parts.front();
    print("{:>6.0f} {:>8} {:>11.4f} {:>9.4f} {:>9.4f} {:>9.3f} {:>7.3f} {:>8.3f}\n", report.epoch,
          report.batches, whole.density_mean.value_or(NAN), whole.density_noise.value_or(NAN),
          whole.snr_mean, whole.snr_max, whole.snr_below, whole.below_mean);
  }
}

void print_health(const HealthReport& report) {
  const auto value = [](const std::optional<double>& number, int width) {
    return number ? fmt::format("{:>{}.4g}", *number, width) : fmt::format("{:>{}}", "-", width);
  };
  print("{:<22}{:>9}{:>10}{:>10}{:>10}{:>10}{:>9}\n", fmt::format("step {}", report.step), "values",
        "|e|/|g|", "delta", "cosine", "top 1 %", "rank");
  for (const auto& tensor : report.tensors) {
    print("{:<22}{:>9}{}{}{}{:>10.3f}{}\n", tensor.name.empty() ? "model" : tensor.name,
          tensor.size, value(tensor.residual_ratio, 10), value(tensor.contraction, 10),
          value(tensor.cosine, 10), tensor.topk_mass[kOnePercent], value(tensor.stable_rank, 9));
  }
  if (report.margins.empty()) return;
  print("margins of the votes:");
  for (std::size_t m = 0; m < report.margins.size(); ++m) {
    if (report.margins[m] > 0) print(" {}: {}", m, report.margins[m]);
  }
  print("\n");
}

void RunReporter::print_probes() const {
  const auto& config = label_.config;
  if (last_health_) {
    print_health(*last_health_);
  } else if (config.measure.value().health()) {
    note("train: {}\n", config.is_async()
                            ? "with --topology async, --measure health logs the staleness alone"
                            : "--measure health: the run ended before the first measurement; use "
                              "health:every=N with a smaller N");
  }
  if (config.check_laws.value().every > 0) {
    print("conservation laws: checked in {} steps, and held\n", law_checks_);
  }
}

void print_summary(const RunConfig& config, const RunResult& r) {
  const auto& last = r.evaluations.back();
  print("{}, training loss {}, {} steps in {}\n", score_text(last),
        number_text(r.train_loss, 4, 10), r.steps, duration_text(r.seconds));
  print("packet {}, sent per worker {} ({} uncompressed), {} {}/s\n",
        bytes_text(static_cast<double>(r.message_bytes)), bytes_text(r.bytes_sent_per_worker),
        bytes_text(r.bytes_uncompressed), thousands_text(r.samples_per_second),
        sample_name(last.metric));
  if (r.skipped_steps > 0) {
    print("skipped: {} of {} steps, because a gradient was infinite or NaN\n", r.skipped_steps,
          r.steps);
  }
  print_times("ms per step:", r.step_times);
  if (r.virtual_seconds) {
    print("in the modelled network {}: {:.4g} s, {} {}/s\n", *config.network, *r.virtual_seconds,
          thousands_text(r.samples_per_virtual_second), sample_name(last.metric));
    print_times("virtual ms per step:", r.virtual_step_times);
  }
  if (r.buckets > 1) {
    print("{} buckets: {:.2f} ms of each step are hidden behind backward\n", r.buckets,
          1e3 * r.hidden_seconds);
  }
  print("lr {}, {}\n", *config.lr, config.optimizer);
  if (r.async) {
    const auto& late = r.async->staleness;
    print("staleness: mean {:.2f}, standard deviation {:.2f}, maximum {}; {} pushes dropped\n",
          late.mean(), late.deviation(), late.most(), r.async->dropped);
  }
}

}  // namespace terse::run
