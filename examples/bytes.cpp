// Exact bytes of any method on any model: real packets are encoded, exchanged and counted.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/random.hpp"
#include "examples/support/command_line.hpp"
#include "examples/support/config.hpp"
#include "examples/support/exchange_once.hpp"
#include "examples/support/methods.hpp"
#include "examples/support/program.hpp"
#include "examples/support/progress.hpp"
#include "examples/support/shape_list.hpp"
#include "examples/support/task.hpp"

namespace {

using namespace terse;

void bytes(int argc, char** argv) {
  run::RunConfig config;
  std::vector<std::string> methods;
  std::string shapes_text;
  std::int64_t steps_per_epoch = 0;
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
  fmt::print("{} values in {} tensors; {} workers, {}; {} steps an epoch\n\n",
             run::thousands_text(static_cast<double>(parameters)), shapes.size(), config.workers,
             config.topology, steps_per_epoch);
  fmt::print("{:<26}{:>12}{:>9}{:>16}{:>15}\n", "", "packet", "times", "packets of an",
             "sent by worker");
  fmt::print("{:<26}{:>12}{:>9}{:>16}{:>15}\n", "method", "bytes", "smaller", "epoch, MiB",
             "a step, bytes");
  nlohmann::json list = nlohmann::json::array();
  for (const auto& method : methods) {
    config.compressor = method;
    const auto counted = run::exchange_once(config, shapes);
    const double mebibytes = static_cast<double>(counted.message_bytes) *
                             static_cast<double>(steps_per_epoch) / (1 << 20);
    const double smaller = 4.0 * static_cast<double>(parameters) /
                           static_cast<double>(std::max<std::uint64_t>(1, counted.message_bytes));
    fmt::print("{:<26}{:>12}{:>8.1f}x{:>16.2f}{:>15.1f}\n", method, counted.message_bytes, smaller,
               mebibytes, counted.bytes_sent_per_worker);
    list.push_back({{"method", method},
                    {"message_bytes", counted.message_bytes},
                    {"times_smaller", smaller},
                    {"mebibytes_per_epoch", mebibytes},
                    {"bytes_sent_per_worker", counted.bytes_sent_per_worker}});
  }
  if (json) {
    fmt::print("{}\n", nlohmann::json({{"parameters", parameters},
                                       {"workers", config.workers},
                                       {"topology", config.topology},
                                       {"servers", config.servers},
                                       {"steps_per_epoch", steps_per_epoch},
                                       {"methods", list}})
                           .dump());
  }
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_program("bytes", [&] { bytes(argc, argv); });
}
