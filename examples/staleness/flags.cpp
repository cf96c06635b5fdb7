#include "examples/staleness/flags.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <vector>

#include "examples/run/command_line.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/spec.hpp"
#include "tersegrad/data/datasets.hpp"

namespace terse::run {
namespace {

std::vector<std::int64_t> parse_workers(std::string_view text) {
  std::vector<std::int64_t> all;
  const auto* at = text.data();
  const auto* const end = text.data() + text.size();
  for (;;) {
    std::int64_t workers = 0;
    const auto [after, error] = std::from_chars(at, end, workers);
    check<UsageError>(
        error == std::errc{} && workers >= 1 && workers <= 1024 && (after == end || *after == ','),
        "--workers: numbers from 1 to 1024 with commas between them; got '{}'", text);
    all.push_back(workers);
    if (after == end) return all;
    at = after + 1;
  }
}

std::vector<SweepMethod> methods_named(const std::vector<std::string>& names) {
  std::vector<SweepMethod> chosen;
  std::vector<std::string> known;
  for (const auto& method : sweep_methods()) known.push_back(method.name);
  for (const auto& name : names) {
    const auto place = std::ranges::find(known, name);
    check<UsageError>(place != known.end(), "{}", unknown_name("method", name, known));
    chosen.push_back(sweep_methods()[static_cast<std::size_t>(place - known.begin())]);
  }
  return chosen;
}

}  // namespace

StalenessFlags parse_staleness_flags(int argc, char** argv) {
  StalenessFlags flags;
  auto& sweep = flags.sweep;
  auto& common = sweep.common;
  common.model = "mlp:hidden=64";
  common.optimizer = "sgd";
  common.epochs = 1;
  std::vector<std::string> methods;
  std::string workers = "1,4,16,64";
  CommandLine command_line(
      "staleness", "Trains with stale gradients: accuracy and the largest stable rate by method.",
      "staleness --workers 1,16 --method asynchronous --method \"top 1 %, memory\"");
  add_data_flags(command_line, common);
  command_line.flag("--workers", workers, "how many, simulated; one sweep for each")
      .list("--method", methods, "a name of the table; once for each [all]")
      .flag("--batch", common.batch, "samples of a push")
      .flag("--epochs", common.epochs, "passes over the data, all workers together")
      .flag("--optimizer", common.optimizer, "the server's")
      .flag("--schedule", common.schedule, "of the rate: constant, step, linear or cosine")
      .flag("--durations", common.async.durations, "exponential, constant, erlang:k=4, pareto")
      .flag("--low", sweep.low, "the rates are powers of two, from this one")
      .flag("--high", sweep.high, "to this one, upwards until one fails")
      .flag("--seeds", sweep.seeds, "runs at the best rate, whose mean is shown")
      .flag("--threads", common.threads, "of the process; 0: a core each")
      .flag("--out", flags.out, "folder of the sweep; goes on with what is in it")
      .flag("--json", flags.json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  sweep.workers = parse_workers(workers);
  if (!methods.empty()) sweep.methods = methods_named(methods);
  check<UsageError>(sweep.low <= sweep.high && sweep.low >= -30 && sweep.high <= 19,
                    "--low, --high: exponents from -30 to 19, ascending; got {} and {}", sweep.low,
                    sweep.high);
  check<UsageError>(sweep.seeds >= 1, "--seeds: at least 1; got {}", sweep.seeds);
  check<UsageError>(!is_text(common.data), "--data {}: images are wanted", common.data);
  return flags;
}

}  // namespace terse::run
