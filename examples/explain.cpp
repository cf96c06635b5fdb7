// Runs one compressor on a small tensor and shows its packets, the decoded values and the error.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "examples/explain/explanation.hpp"
#include "examples/run/command_line.hpp"
#include "examples/run/output.hpp"
#include "examples/run/program.hpp"
#include "examples/run/shape_list.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/inspect/json.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace {

using namespace terse;

void explain(int argc, char** argv) {
  std::string spec, shape = "4x6";
  std::uint64_t seed = 1, step = 0;
  bool json = false;
  run::CommandLine command_line(
      "explain", "Shows the packets that a compressor makes of a small random tensor.",
      "explain topk:ratio=0.25+ef --shape 4x6");
  command_line.positional("spec", spec, "compressor spec, such as sign+ef [list all]")
      .flag("--shape", shape, "shape of the tensor")
      .flag("--step", step, "step to show; all steps before it run first")
      .flag("--seed", seed, "seed of the tensor and of the compressor")
      .flag("--json", json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  if (spec.empty()) {
    for (const auto& entry : compressor_registry()) {
      run::print("{:<16}{}\n{:<16}{}\n", entry.name, entry.summary, "", entry.example);
    }
    std::fflush(stdout);
    throw UsageError("spec: expected a compressor; for instance: explain sign+ef");
  }
  const auto shapes = run::parse_shapes(shape, "--shape");
  check<UsageError>(shapes.size() == 1 && shapes[0].rows * shapes[0].cols <= 100'000,
                    "--shape: expected one shape of at most 100 000 values; got '{}'", shape);
  check<UsageError>(step <= 10'000, "--step: expected at most 10 000; got {}", step);
  const auto compressor = make_compressor(spec);
  const auto explanation = run::explain_step(*compressor, shapes[0], seed, step);
  run::print("{}", run::to_text(explanation));
  if (json) run::print("{}\n", json_text(run::to_json(explanation)));
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_program("explain", [&] { explain(argc, argv); });
}
