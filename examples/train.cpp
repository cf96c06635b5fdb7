// Trains one model with one method.
#include <nlohmann/json.hpp>
#include <optional>

#include "examples/run/command_line.hpp"
#include "examples/run/interruption.hpp"
#include "examples/run/output.hpp"
#include "examples/run/task.hpp"
#include "examples/run/training.hpp"
#include "examples/train/mpi_program.hpp"
#include "examples/train/report.hpp"
#include "examples/train/same_run.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/inspect/json.hpp"

namespace {

using namespace terse;

struct Flags {
  run::RunConfig config;
  bool describe = false, json = false;
};

// `mpi`: mpirun decides the number of workers.
Flags parse_flags(int argc, char** argv, bool mpi) {
  Flags flags;
  auto& config = flags.config;
  if (mpi) config.workers = 0;
  std::optional<std::string> resume;
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
      .flag("--measure", config.measure, "none, or density (gradient noise at each epoch)")
      .flag("--out", config.out, "folder for config.json and log.jsonl")
      .flag("--describe", flags.describe, "print the layers of the model and exit")
      .flag("--json", flags.json, "print one JSON object as the last line")
      .flag("--resume", resume, "resume from a checkpoint (not available yet)");
  command_line.parse(argc, argv);
  check<UsageError>(!resume, "--resume is not available yet; leave it out");
  return flags;
}

// `me`: this process among those of --transport mpi; nullptr if the workers are threads.
void train(int argc, char** argv, Worker* me) {
  auto [config, describe, json] = parse_flags(argc, argv, me != nullptr);
  run::listen_for_interruption();
  if (me != nullptr) run::count_processes(*me, config);
  run::complete(config);
  if (me != nullptr) me->set_deadline(run::deadline(config));
  if (me != nullptr) run::check_same_run(*me, config);
  const bool reports = me == nullptr || me->rank() == 0;

  const auto data = run::load_data(config);
  if (reports) run::print_notes(data);
  if (me != nullptr) run::check_same_data(*me, data);
  if (describe) {
    if (reports) run::print("{}", run::describe_model(config, data));
    return;
  }
  run::RunReporter reporter(config, reports);
  run::RunResult result;
  try {
    result = run::train(config, data, reporter.listener(), me);
  } catch (const run::Interrupted& e) {
    reporter.log({{"interrupted", e.what()}});
    throw;
  }
  if (!reports) return;
  reporter.finish();
  run::print_densities(result.densities);
  run::print_summary(config, result);
  if (json) run::print("{}\n", json_text(run::to_json(result, config)));
  run::check_finite(result);
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_mpi_program("train", argc, argv,
                                     [&](Worker* me) { train(argc, argv, me); });
}
