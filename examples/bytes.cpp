// Exact bytes of any method on any model: real packets are encoded, exchanged and counted.
#include <nlohmann/json.hpp>

#include "examples/bytes/count.hpp"
#include "examples/run/command_line.hpp"
#include "examples/run/config.hpp"
#include "examples/run/methods.hpp"
#include "examples/run/output.hpp"
#include "examples/run/program.hpp"
#include "examples/run/shape_list.hpp"
#include "examples/run/task.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/inspect/json.hpp"

namespace {

using namespace terse;

struct Flags {
  run::RunConfig config;
  std::vector<std::string> methods;
  std::string shapes;
  std::int64_t steps_per_epoch = 0, steps = 2;
  bool json = false;
};

Flags parse_flags(int argc, char** argv) {
  Flags flags;
  auto& config = flags.config;
  config.compressor_flag = "--method";
  run::CommandLine command_line(
      "bytes", "Counts the bytes per step and per epoch of each method, without training.",
      "bytes --shapes resnet18 --steps-per-epoch 24 --method powersgd:rank=2");
  run::add_data_flags(command_line, config);
  command_line.flag("--shapes", flags.shapes, "instead of --model: resnet18, resnet50, lstm, 64x3")
      .list("--method", flags.methods, "compressor spec; repeatable [the six main ones]")
      .flag("--workers", config.workers, "number of workers that exchange gradients")
      .flag("--topology", config.topology, "local, ring or server")
      .flag("--servers", config.servers, "number of parameter server shards")
      .flag("--batch", config.batch, "samples per worker and step: sets steps per epoch")
      .flag("--steps-per-epoch", flags.steps_per_epoch,
            "0: from the data; with --shapes: 60 000 samples")
      .flag("--steps", flags.steps, "number of exchanges to average over")
      .flag("--json", flags.json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  if (flags.methods.empty()) flags.methods = run::main_methods();
  for (const auto& method : flags.methods) {
    auto each = config;
    each.compressor = method;
    run::complete(each);
  }
  check<UsageError>(flags.steps_per_epoch >= 0, "--steps-per-epoch: expected at least 0; got {}",
                    flags.steps_per_epoch);
  check<UsageError>(flags.steps >= 1, "--steps: expected at least 1; got {}", flags.steps);
  return flags;
}

// Returns the shapes; sets the steps of an epoch unless the flags name them.
std::vector<MatrixShape> shapes_of(Flags& flags) {
  const auto& config = flags.config;
  if (!flags.shapes.empty()) {
    auto shapes = run::parse_shapes(flags.shapes);
    if (flags.steps_per_epoch == 0)
      flags.steps_per_epoch = 60'000 / (config.workers * config.batch);
    return shapes;
  }
  const auto data = run::load_data(config);
  const auto task = run::make_task(config, data, 0, static_cast<int>(config.workers));
  if (flags.steps_per_epoch == 0) flags.steps_per_epoch = task->steps_per_epoch();
  return run::shapes_of(task->model());
}

void bytes(int argc, char** argv) {
  auto flags = parse_flags(argc, argv);
  const auto shapes = shapes_of(flags);
  run::BytesTable table{.config = flags.config,
                        .tensors = std::ssize(shapes),
                        .steps_per_epoch = flags.steps_per_epoch,
                        .steps = flags.steps};
  for (const auto& shape : shapes) table.parameters += shape.rows * shape.cols;
  for (const auto& method : flags.methods) {
    flags.config.compressor = method;
    table.rows.push_back(run::count_bytes(flags.config, shapes, flags.steps));
  }
  run::print("{}", run::to_text(table));
  if (flags.json) run::print("{}\n", json_text(run::to_json(table)));
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_program("bytes", [&] { bytes(argc, argv); });
}
