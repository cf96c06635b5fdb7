// Trains one model with one method.
#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "examples/run/command_line.hpp"
#include "examples/run/interruption.hpp"
#include "examples/run/output.hpp"
#include "examples/run/progress.hpp"
#include "examples/run/training.hpp"
#include "examples/train/mpi_program.hpp"
#include "examples/train/not_yet.hpp"
#include "examples/train/same_run.hpp"
#include "tersegrad/inspect/json.hpp"
#include "tersegrad/inspect/run_folder.hpp"

namespace {

using namespace terse;

nlohmann::json log_line(const run::StepReport& r) {
  nlohmann::json time = {{"samples_per_second", r.samples_per_second}};
  for (std::size_t i = 0; i < kPhases; ++i) time[std::string(kPhaseNames[i])] = r.times.seconds[i];
  if (r.virtual_seconds) {
    time["virtual_seconds"] = *r.virtual_seconds;
    for (std::size_t i = 0; i < kPhases; ++i) {
      time["virtual"][std::string(kPhaseNames[i])] = r.virtual_times.seconds[i];
    }
  }
  if (r.hidden_seconds > 0) time["hidden"] = r.hidden_seconds;
  nlohmann::json line = {{"step", r.step},
                         {"loss", r.loss},
                         {"lr", r.lr},
                         {"message_bytes", r.message_bytes},
                         {"bytes_sent", r.bytes_sent},
                         {"skipped_steps", r.skipped_steps},
                         {"time", time}};
  if (r.mean_staleness) line["mean_staleness"] = *r.mean_staleness;
  return line;
}

void print_densities(const std::vector<run::DensityReport>& reports) {
  if (reports.empty()) return;
  run::print("{:>6} {:>8} {:>11} {:>9} {:>9} {:>9} {:>7} {:>8}\n", "epoch", "batches", "phi(mean)",
             "phi(std)", "mean SNR", "max SNR", "< 1.15", "P(below)");
  for (const auto& report : reports) {
    const auto& whole = report.parts.front();
    run::print("{:>6.0f} {:>8} {:>11.4f} {:>9.4f} {:>9.4f} {:>9.3f} {:>7.3f} {:>8.3f}\n",
               report.epoch, report.batches, whole.density_mean.value_or(NAN),
               whole.density_noise.value_or(NAN), whole.snr_mean, whole.snr_max, whole.snr_below,
               whole.below_mean);
  }
}

void print_times(const char* title, const PhaseTimes& times) {
  run::print("{}", title);
  for (std::size_t i = 0; i < kPhases; ++i) {
    run::print(" {} {:.2f}", kPhaseNames[i], 1e3 * times.seconds[i]);
  }
  run::print("\n");
}

void print_summary(const run::RunConfig& config, const run::RunResult& r) {
  const auto& last = r.evaluations.back();
  run::print("{}, training loss {}, {} steps in {}\n", run::score_text(last),
             run::number_text(r.train_loss, 4, 10), r.steps, run::duration_text(r.seconds));
  run::print("packet {}, sent per worker {} ({} for none), {} {}/s\n",
             run::bytes_text(static_cast<double>(r.message_bytes)),
             run::bytes_text(r.bytes_sent_per_worker), run::bytes_text(r.bytes_uncompressed),
             run::thousands_text(r.samples_per_second), run::sample_name(last.metric));
  if (r.skipped_steps > 0) {
    run::print("skipped: {} of {} steps, because a gradient was infinite or NaN\n", r.skipped_steps,
               r.steps);
  }
  print_times("ms per step:", r.step_times);
  if (r.virtual_seconds) {
    run::print("in the modelled network {}: {:.4g} s, {} {}/s\n", *config.network,
               *r.virtual_seconds, run::thousands_text(r.samples_per_virtual_second),
               run::sample_name(last.metric));
    print_times("ms per step there:", r.virtual_step_times);
  }
  if (r.buckets > 1) {
    run::print("in {} buckets: {:.2f} ms of a step hidden behind backward\n", r.buckets,
               1e3 * r.hidden_seconds);
  }
  run::print("lr {}, {}\n", *config.lr, config.optimizer);
  if (r.async) {
    const auto& late = r.async->staleness;
    run::print("staleness: mean {:.2f}, deviation {:.2f}, at most {}; {} pushes dropped\n",
               late.mean(), late.deviation(), late.most(), r.async->dropped);
  }
}

// With an asynchronous server one of them is the server.
void count_processes(const Worker& me, run::RunConfig& config) {
  const bool async = config.topology == "async";
  const int workers = me.size() - (async ? 1 : 0);
  check<UsageError>(workers > 0,
                    "--topology async with --transport mpi: one process is the server; mpirun must "
                    "start 2 or more");
  check<UsageError>(config.workers == 0 || config.workers == workers,
                    "--workers {}: with --transport mpi they are as many as mpirun starts, {}{}; "
                    "leave it out",
                    config.workers, workers, async ? " and the server" : "");
  config.workers = workers;
}

void train(int argc, char** argv, Worker* me) {
  run::RunConfig config;
  if (me != nullptr) config.workers = 0;  // as many as mpirun has started
  bool json = false, only_describe = false;
  run::NotYet later;
  run::CommandLine command_line(
      "train", "Trains one model with one way of exchanging gradients.",
      "train --model resnet20 --workers 4 --compressor powersgd:rank=2+ef");
  run::add_data_flags(command_line, config);
  command_line.flag("--compressor", config.compressor, "what the workers say: a spec, see explain");
  run::add_training_flags(command_line, config);
  run::add_async_flags(command_line, config);
  command_line.flag("--transport", config.transport, "threads; mpi: processes, under mpirun -n N")
      .flag("--measure", config.measure, "none; density: how noisy gradients are, each epoch")
      .flag("--out", config.out, "folder for config.json and log.jsonl")
      .flag("--describe", only_describe, "print the model's layers and leave")
      .flag("--json", json, "print one JSON object as the last line");
  later.add_flags(command_line);
  command_line.parse(argc, argv);
  run::listen_for_interruption();
  later.refuse();
  if (me != nullptr) count_processes(*me, config);
  run::complete(config);
  if (me != nullptr) me->set_deadline(run::deadline(config));
  if (me != nullptr) run::check_same_run(*me, config);
  const bool speaks = me == nullptr || me->rank() == 0;

  const auto data = run::load_data(config);
  if (speaks) run::print_notes(data);
  if (me != nullptr) run::check_same_data(*me, data);
  if (only_describe) {
    if (speaks) run::print("{}", run::describe_model(config, data));
    return;
  }
  std::optional<RunFolder> folder;
  if (config.out && speaks) folder.emplace(*config.out, run::to_json(config));
  run::Progress progress(config.compressor, stderr);
  const run::Listener listener{.on_step =
                                   [&](const run::StepReport& r) {
                                     if (folder) folder->log(log_line(r));
                                     progress.step(r);
                                   },
                               .on_evaluation =
                                   [&](const run::Evaluation& e) {
                                     if (folder) folder->log(run::to_json(e));
                                     progress.evaluation(e);
                                   },
                               .on_density =
                                   [&](const run::DensityReport& d) {
                                     if (folder) folder->log(run::to_json(d));
                                   },
                               .on_drop =
                                   [&](const DroppedWorker& d, std::string_view fate) {
                                     if (folder) folder->log({{"dropped", run::to_json(d)}});
                                     progress.drop(d, fate);
                                   }};
  const auto result = [&] {
    try {
      return run::train(config, data, listener, me);
    } catch (const run::Interrupted& e) {
      if (folder) folder->log({{"interrupted", e.what()}});
      throw;
    }
  }();
  if (!speaks) return;
  if (folder) folder->finish();
  progress.finish();
  print_densities(result.densities);
  print_summary(config, result);
  if (json) run::print("{}\n", json_text(run::to_json(result, config)));
  run::check_finite(result);
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_mpi_program("train", argc, argv,
                                     [&](Worker* me) { train(argc, argv, me); });
}
