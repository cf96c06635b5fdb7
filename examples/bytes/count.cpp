#include "examples/bytes/count.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string_view>

#include "examples/run/progress.hpp"
#include "examples/run/step_time.hpp"
#include "tersegrad/comm/topology/topology.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/core/spec.hpp"

namespace terse::run {
namespace {

// Differences from the figures in the papers.
struct Note {
  std::string_view method;  // the first stage of the spec
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
    {"gradiveq",
     "The first steps of each period send whole gradients (by default the first\n"
     "20 of 500), so the figures depend on --steps."},
};

double mebibytes_per_epoch(const BytesTable& table, const MethodBytes& row) {
  return row.message_bytes * static_cast<double>(table.steps_per_epoch) / (1 << 20);
}

double times_smaller(const BytesTable& table, const MethodBytes& row) {
  return 4.0 * static_cast<double>(table.parameters) / std::max(1.0, row.message_bytes);
}

}  // namespace

MethodBytes count_bytes(const RunConfig& config, const std::vector<MatrixShape>& shapes,
                        std::int64_t steps) {
  std::int64_t n = 0;
  for (const auto& shape : shapes) n += shape.rows * shape.cols;
  const TopologyPlan plan(topology_options(config), *make_compressor(config.compressor));
  MethodBytes counted{.method = config.compressor};
  std::mutex mutex;
  run_workers(
      {.workers = static_cast<int>(config.workers), .executor = Executor::turns}, [&](Worker& me) {
        const auto compressor = make_compressor(config.compressor);
        const auto topology = plan.join(me);
        Buffer<float> gradients(n), mean(n);
        Philox random(config.seed, {.purpose = Purpose::synthetic,
                                    .worker = static_cast<std::uint32_t>(me.rank())});
        for (std::uint64_t step = 0; step < static_cast<std::uint64_t>(steps); ++step) {
          for (auto& value : gradients.span()) value = random.normal();
          topology->run(*compressor, {.seed = config.seed, .step = step, .lr = 0.1F},
                        views_of(gradients.span(), shapes), views_of(mean.span(), shapes),
                        [](const GradientSource&) {});
          const std::lock_guard lock(mutex);
          if (me.rank() == 0)
            counted.message_bytes += static_cast<double>(topology->message_bytes());
        }
        const std::lock_guard lock(mutex);
        counted.bytes_sent_per_worker += static_cast<double>(me.counters().bytes_sent) / me.size();
      });
  counted.message_bytes /= static_cast<double>(steps);
  counted.bytes_sent_per_worker /= static_cast<double>(steps);
  return counted;
}

std::string to_text(const BytesTable& table) {
  constexpr const char* kHead = "{:<26}{:>12}{:>9}{:>16}{:>15}\n";
  std::string text = fmt::format(
      "{} values in {} tensors; {} workers, {}; {} steps/epoch, {} counted\n\n",
      thousands_text(static_cast<double>(table.parameters)), table.tensors, table.config.workers,
      table.config.topology.name(), table.steps_per_epoch, table.steps);
  text += fmt::format(kHead, "", "packet", "times", "packets of an", "sent by worker");
  text += fmt::format(kHead, "method", "bytes", "smaller", "epoch, MiB", "bytes per step");
  for (const auto& row : table.rows) {
    text += fmt::format("{:<26}{:>12.0f}{:>8.1f}x{:>16.2f}{:>15.1f}\n", row.method,
                        row.message_bytes, times_smaller(table, row),
                        mebibytes_per_epoch(table, row), row.bytes_sent_per_worker);
  }
  for (const auto& note : kNotes) {
    const auto noted = [&note](const MethodBytes& row) {
      return Spec::parse(row.method).stages.front().name == note.method;
    };
    if (std::ranges::any_of(table.rows, noted)) {
      text += fmt::format("\n{}: {}\n", note.method, note.text);
    }
  }
  return text;
}

nlohmann::json to_json(const BytesTable& table) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& row : table.rows) {
    list.push_back({{"method", row.method},
                    {"message_bytes", row.message_bytes},
                    {"times_smaller", times_smaller(table, row)},
                    {"mebibytes_per_epoch", mebibytes_per_epoch(table, row)},
                    {"bytes_sent_per_worker", row.bytes_sent_per_worker}});
  }
  return {{"parameters", table.parameters},
          {"workers", table.config.workers},
          {"topology", table.config.topology.name()},
          {"servers", table.config.servers},
          {"steps_per_epoch", table.steps_per_epoch},
          {"steps", table.steps},
          {"methods", list}};
}

}  // namespace terse::run
