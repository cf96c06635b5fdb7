#include "examples/train/flags.hpp"

#include <optional>
#include <string>

#include "examples/run/async_flags.hpp"
#include "examples/run/command_line.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::run {

TrainFlags parse_train_flags(int argc, char** argv, bool mpi) {
  TrainFlags flags;
  auto& config = flags.config;
  if (mpi) config.workers = 0;
  std::optional<std::string> resume;
  CommandLine command_line("train", "Trains one model with one way of exchanging gradients.",
                           "train --model resnet20 --workers 4 --compressor powersgd:rank=2+ef");
  add_data_flags(command_line, config);
  command_line.flag("--compressor", config.compressor, "what the workers say: a spec, see explain");
  add_training_flags(command_line, config);
  add_async_flags(command_line, config);
  command_line.flag("--transport", config.transport, "threads; mpi: processes, under mpirun -n N")
      .flag("--measure", config.measure, "none; density: how noisy gradients are, each epoch")
      .flag("--out", config.out, "folder for config.json and log.jsonl")
      .flag("--describe", flags.describe, "print the model's layers and leave")
      .flag("--json", flags.json, "print one JSON object as the last line")
      .flag("--resume", resume, "not available yet: checkpoints");
  command_line.parse(argc, argv);
  check<UsageError>(!resume, "--resume is not available yet; leave it out");
  return flags;
}

}  // namespace terse::run
