// The bandwidths at which a method is faster than no compression, for the tensors of a model.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "examples/advise/advice.hpp"
#include "examples/run/command_line.hpp"
#include "examples/run/methods.hpp"
#include "examples/run/output.hpp"
#include "examples/run/program.hpp"
#include "examples/run/progress.hpp"
#include "examples/run/shape_list.hpp"
#include "tersegrad/comm/network/network_model.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/inspect/json.hpp"

namespace {

using namespace terse;

void advise(int argc, char** argv) {
  run::RunConfig config;
  config.compressor_flag = "--method";
  std::vector<std::string> methods;
  std::string shapes = "resnet18", latency = "20us", compute = "0s";
  std::optional<std::string> out;
  std::int64_t steps = 3;
  bool json = false;
  run::CommandLine command_line(
      "advise", "Finds below which bandwidth a method is faster than none, by short runs.",
      "advise --shapes resnet18 --method powersgd:rank=2+ef --compute 200ms");
  command_line.flag("--shapes", shapes, "lenet, resnet18, resnet50, lstm, or a list: 64x3,64")
      .list("--method", methods, "compressor spec; repeatable [the six main ones]")
      .flag("--workers", config.workers, "number of workers in the measured runs")
      .flag("--latency", latency, "latency of the modelled network")
      .flag("--compute", compute, "declared time of forward and backward per step")
      .flag("--steps", steps, "steps to average over, after one warm-up step")
      .flag("--threads", config.threads, "threads; workers run one at a time; 0: one per core")
      .flag("--out", out, "folder for advice.json and advice.svg")
      .flag("--json", json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  check<UsageError>(steps >= 1 && steps <= 1000,
                    "--steps: expected a number from 1 to 1000; got {}", steps);
  check<UsageError>(config.workers >= 2,
                    "--workers: expected at least 2, because one worker exchanges nothing; got {}",
                    config.workers);
  if (methods.empty()) methods = run::main_methods();
  if (methods.front() != "none") methods.insert(methods.begin(), "none");
  run::Advice advice{.compute = run::for_flag("--compute", [&] { return parse_seconds(compute); }),
                     .latency = run::for_flag("--latency", [&] { return parse_seconds(latency); })};
  config.network = "10gbe";  // makes the workers take turns
  for (const auto& method : methods) {
    auto each = config;
    each.compressor = method;
    run::complete(each);
    set_thread_count(static_cast<int>(each.threads));
  }
  const auto list = run::parse_shapes(shapes);
  std::optional<OutputFolder> folder;
  if (out) folder.emplace(*out);
  run::SyntheticGradients gradients(list, config.workers, config.seed);
  for (const auto& method : methods) {
    auto each = config;
    each.compressor = method;
    advice.methods.push_back(run::measure_method(each, gradients, steps));
  }
  run::print("{}: {} values in {} tensors; latency {}\n\n", shapes,
             run::thousands_text(static_cast<double>(gradients.numel())), list.size(), latency);
  run::print("{}", run::table_text(advice));
  if (folder) {
    write_file(*folder / "advice.json", json_text(run::to_json(advice), 2) + "\n");
    write_file(*folder / "advice.svg", run::chart_svg(advice));
  }
  if (json) run::print("{}\n", json_text(run::to_json(advice)));
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_program("advise", [&] { advise(argc, argv); });
}
