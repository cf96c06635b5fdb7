// Exact bytes of any method on any model: real packets are encoded, exchanged and counted.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "examples/bytes/exchange_bytes.hpp"
#include "examples/run/command_line.hpp"
#include "examples/run/config.hpp"
#include "examples/run/methods.hpp"
#include "examples/run/output.hpp"
#include "examples/run/program.hpp"
#include "examples/run/progress.hpp"
#include "examples/run/shape_list.hpp"
#include "examples/run/task.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/inspect/json.hpp"

namespace {

using namespace terse;

// What a reader of the papers may look for and not find.
struct Note {
  std::string_view method;  // the spec's first stage
  std::string_view text;
};
constexpr Note kNotes[] = {
    {"unbiased_rank",
     "The PowerSGD paper prints 2.54 and 4.21 MiB for ranks 1\n"
     "and 2 of ResNet-18, 24 steps. M U alone takes 1.32 and 1.76; code released under\n"
     "this label seems to run alternating half-steps with orthonormal factors that are\n"
     "used again (reconstructed); powersgd:rank=1,alternate has those sizes."},
    {"atomo",
     "The PowerSGD paper prints 113.1 MiB for rank 2 of ResNet-18, 24 steps:\n"
     "rank (n + m + 1) floats a folded matrix. Here each matrix has 4 bytes more, the\n"
     "number of its atoms; with `independent` that number varies around the rank, and\n"
     "the size with it."},
    {"gradiveq", "Its first steps of every period learn from whole gradients: see --steps."},
};

void bytes(int argc, char** argv) {
  run::RunConfig config;
  config.compressor_flag = "--method";
  std::vector<std::string> methods;
  std::string shapes_text;
  std::int64_t steps_per_epoch = 0, steps = 2;
  bool json = false;
  run::CommandLine command_line(
      "bytes", "Counts the bytes of a step and of an epoch for each method, without training.",
      "bytes --shapes resnet18 --steps-per-epoch 24 --method powersgd:rank=2");
  run::add_data_flags(command_line, config);
  command_line.flag("--shapes", shapes_text, "instead of a model: resnet18, lstm, or 64x3x3x3,64")
      .list("--method", methods, "a compressor spec; once for each [the six main ones]")
      .flag("--workers", config.workers, "how many exchange their gradients")
      .flag("--topology", config.topology, "local, ring or server")
      .flag("--servers", config.servers, "shards of the parameter server")
      .flag("--batch", config.batch, "samples per worker and step: sets an epoch's steps")
      .flag("--steps-per-epoch", steps_per_epoch,
            "[as the data have; with --shapes: of 60 000 samples]")
      .flag("--steps", steps, "exchanges counted: the figures are their mean")
      .flag("--json", json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  if (methods.empty()) methods = run::main_methods();
  for (const auto& method : methods) {
    auto each = config;
    each.compressor = method;
    run::complete(each);
  }
  check<UsageError>(steps_per_epoch >= 0, "--steps-per-epoch: at least 0 is wanted; got {}",
                    steps_per_epoch);
  check<UsageError>(steps >= 1, "--steps: at least 1 is wanted; got {}", steps);
  std::vector<MatrixShape> shapes;
  if (shapes_text.empty()) {
    const auto data = run::load_data(config);
    const auto task = run::make_task(config, data, 0, static_cast<int>(config.workers));
    shapes = run::shapes_of(task->model());
    if (steps_per_epoch == 0) steps_per_epoch = task->steps_per_epoch();
  } else {
    shapes = run::parse_shapes(shapes_text);
    if (steps_per_epoch == 0) steps_per_epoch = 60'000 / (config.workers * config.batch);
  }
  std::int64_t parameters = 0;
  for (const auto& shape : shapes) parameters += shape.rows * shape.cols;
  std::string table;  // printed when every method has been counted
  nlohmann::json list = nlohmann::json::array();
  for (const auto& method : methods) {
    config.compressor = method;
    const auto counted = run::exchange(config, shapes, steps);
    const double mebibytes =
        counted.message_bytes * static_cast<double>(steps_per_epoch) / (1 << 20);
    const double smaller =
        4.0 * static_cast<double>(parameters) / std::max(1.0, counted.message_bytes);
    table += fmt::format("{:<26}{:>12.0f}{:>8.1f}x{:>16.2f}{:>15.1f}\n", method,
                         counted.message_bytes, smaller, mebibytes, counted.bytes_sent_per_worker);
    list.push_back({{"method", method},
                    {"message_bytes", counted.message_bytes},
                    {"times_smaller", smaller},
                    {"mebibytes_per_epoch", mebibytes},
                    {"bytes_sent_per_worker", counted.bytes_sent_per_worker}});
  }
  run::print("{} values in {} tensors; {} workers, {}; {} steps an epoch, {} counted\n\n",
             run::thousands_text(static_cast<double>(parameters)), shapes.size(), config.workers,
             config.topology, steps_per_epoch, steps);
  run::print("{:<26}{:>12}{:>9}{:>16}{:>15}\n", "", "packet", "times", "packets of an",
             "sent by worker");
  run::print("{:<26}{:>12}{:>9}{:>16}{:>15}\n", "method", "bytes", "smaller", "epoch, MiB",
             "a step, bytes");
  run::print("{}", table);
  for (const auto& note : kNotes) {
    const auto noted = [&note](const auto& method) {
      return Spec::parse(method).stages.front().name == note.method;
    };
    if (std::ranges::any_of(methods, noted)) run::print("\n{}: {}\n", note.method, note.text);
  }
  if (json) {
    run::print("{}\n", json_text(nlohmann::json({{"parameters", parameters},
                                                 {"workers", config.workers},
                                                 {"topology", config.topology},
                                                 {"servers", config.servers},
                                                 {"steps_per_epoch", steps_per_epoch},
                                                 {"steps", steps},
                                                 {"methods", list}})));
  }
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_program("bytes", [&] { bytes(argc, argv); });
}
