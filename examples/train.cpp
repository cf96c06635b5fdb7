// Trains one model with one method.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>

#include "examples/report/command.hpp"
#include "examples/report/page.hpp"
#include "examples/run/command_line.hpp"
#include "examples/run/interruption.hpp"
#include "examples/run/output.hpp"
#include "examples/run/task.hpp"
#include "examples/run/trained_model.hpp"
#include "examples/run/training.hpp"
#include "examples/train/mpi_program.hpp"
#include "examples/train/report.hpp"
#include "examples/train/resume.hpp"
#include "examples/train/same_run.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/inspect/json.hpp"

namespace {

using namespace terse;

struct Flags {
  run::RunConfig config;
  bool describe = false, json = false, tensorboard = false, report = false;
  std::optional<std::string> resume;  // a folder
};

// `mpi`: mpirun decides the number of workers.
Flags parse_flags(int argc, char** argv, bool mpi) {
  Flags flags;
  auto& config = flags.config;
  if (mpi) config.workers = 0;
  if (const auto folder = run::resumed_folder(argc, argv)) {
    config = run::config_of(*folder);
  }
  run::CommandLine command_line(
      "train", "Trains a model with one compressor over one topology.",
      "train --model resnet20 --workers 4 --compressor powersgd:rank=2+ef");
  run::add_data_flags(command_line, config);
  command_line.flag("--compressor", config.compressor,
                    "compressor spec; the program explain lists them");
  run::add_training_flags(command_line, config);
  run::add_async_flags(command_line, config);
  command_line
      .flag("--transport", config.transport, "threads, or mpi (processes under mpirun -n N)")
      .flag("--measure", config.measure, "none, density, or health:every=N (default 100)")
      .flag("--check-laws", config.check_laws, "every=N: check that no gradient is lost")
      .flag("--record", config.record, "store gradients and packets, e.g. steps=100..110")
      .flag("--init", config.init, "initial weights, as export writes them")
      .flag("--out", config.out, "folder for configuration, log and checkpoints")
      .flag("--checkpoint-every", config.checkpoint_every,
            "save every N steps; 0: at its end and by Ctrl-C")
      .flag("--resume", flags.resume, "continue the run of this folder, to the bit")
      .flag("--tensorboard", flags.tensorboard, "also write an event file for TensorBoard")
      .flag("--report", flags.report, "also write an HTML page, report.html in the folder")
      .flag("--describe", flags.describe, "print the layers of the model and exit")
      .flag("--json", flags.json, "print one JSON object as the last line");
  const auto steps_before = config.steps, epochs_before = config.epochs;
  command_line.parse(argc, argv);
  if (!flags.resume) return flags;
  if (config.epochs != epochs_before && config.steps == steps_before) config.steps = 0;
  if (!config.out) config.out = flags.resume;
  return flags;
}

// `me`: this process among those of --transport mpi; nullptr if the workers are threads.
void train(int argc, char** argv, Worker* me) {
  auto [config, describe, json, tensorboard, report, resume] =
      parse_flags(argc, argv, me != nullptr);
  run::listen_for_interruption();
  if (me != nullptr) {
    const int processes = me->size() - (config.is_async() ? 1 : 0);
    check<UsageError>(!resume || processes == config.workers,
                      "--resume: expected {} workers, as the run began; mpirun started {}",
                      config.workers, processes);
    run::count_processes(*me, config);
  }
  run::complete(config);
  check<UsageError>(config.out || config.checkpoint_every == 0,
                    "--checkpoint-every: expected --out, the folder for the checkpoints");
  check<UsageError>(config.out || !config.record,
                    "--record: expected --out, the folder for the records");
  check<UsageError>(config.out || !tensorboard,
                    "--tensorboard: expected --out, the folder for the event file");
  check<UsageError>(config.out || !report, "--report: expected --out, the folder for the page");
  const auto page = std::filesystem::path(config.out.value_or("")) / run::kPageFile;
  check<UsageError>(!report || !std::filesystem::is_directory(page),
                    "--report: expected to write the page '{}'; there is a folder of this name",
                    page.string());
  const bool is_hogwild = config.is_async() && config.async.server_rule == "hogwild";
  check<UsageError>(!is_hogwild || (config.checkpoint_every == 0 && !resume),
                    "--checkpoint-every and --resume with --server-rule hogwild: its workers write "
                    "to one model without a server that could save it; use another rule");
  const bool reports = me == nullptr || me->rank() == 0;
  std::optional<run::Continuation> past;
  if (resume) past = run::continue_run(*resume, config, reports);
  if (me != nullptr) me->set_deadline(run::deadline(config));
  if (me != nullptr) run::check_same_run(*me, config);
  if (me != nullptr && past) run::check_same_checkpoint(*me, past->checkpoint);

  const auto data = run::load_data(config);
  if (reports) run::print_notes(data);
  if (me != nullptr) run::check_same_data(*me, data);
  if (describe) {
    if (reports) run::print("{}", run::describe_model(config, data));
    return;
  }
  run::RunLabel label{.config = config, .task = run::task_text(data)};
  if (config.out) label.data = run::fingerprint(data);
  if (past) {
    past->checkpoint.check_data(label.data);
    if (reports && past->checkpoint.step() == config.steps) {
      run::note("train: all {} steps are taken; --steps or --epochs gives the run more\n",
                config.steps);
    }
  }
  run::RunReporter reporter(label, reports, tensorboard, past ? &*past : nullptr);
  run::RunResult result;
  try {
    result = run::train(config, data, reporter.listener(), me, past ? &past->checkpoint : nullptr);
  } catch (const run::Interrupted& e) {
    reporter.log({{"interrupted", e.what()}});
    if (config.out && reports) {
      is_hogwild
          ? run::note("train: the run is not saved, because of --server-rule hogwild\n")
          : run::note("train: the run is saved; train --resume {} continues it\n", *config.out);
      if (report) run::note("train: report {} makes the page of what is there\n", *config.out);
    }
    throw;
  }
  if (!reports) return;
  reporter.finish();
  run::print_densities(result.densities);
  reporter.print_probes();
  run::print_summary(config, result);
  if (report) {
    run::write_report({*config.out}, page,
                      run::shell_command(std::span(argv, static_cast<std::size_t>(argc))));
    run::print("page: {}\n", page.string());
  }
  if (json) run::print("{}\n", json_text(run::to_json(result, config)));
  run::check_finite(result);
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_mpi_program("train", argc, argv,
                                     [&](Worker* me) { train(argc, argv, me); });
}
