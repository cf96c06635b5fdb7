// The configuration of a training run: one value for each flag of `train`.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "examples/run/async_flags.hpp"
#include "examples/run/choice.hpp"
#include "examples/run/measure.hpp"
#include "examples/run/step_probe.hpp"
#include "tersegrad/comm/collectives/all_reduce.hpp"
#include "tersegrad/comm/setup/non_finite.hpp"
#include "tersegrad/comm/topology/topology.hpp"
#include "tersegrad/comm/transport/failure.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse::run {

class CommandLine;

// The topologies of comm, and the asynchronous server.
enum class RunTopology : std::uint8_t { local, ring, server, async };
enum class Transport : std::uint8_t { threads, mpi };
std::string_view to_string(RunTopology topology);
std::string_view to_string(Transport transport);
// The split of the data on which a run is evaluated. Settings should be chosen by `valid`: a score on
// test samples that has chosen a setting is too good.
enum class Split : std::uint8_t { test, valid };
std::string_view to_string(Split split);
// UsageError lists the known names.
Split parse_split(std::string_view name);
RunTopology parse_run_topology(std::string_view name);
Transport parse_transport(std::string_view name);

struct RunConfig {
  std::string model = "lenet";
  std::string data = "fashion-mnist";
  std::int64_t workers = 4;
  Choice<parse_transport> transport = Transport::threads;  // mpi: `workers` is what mpirun started
  Choice<parse_run_topology> topology = RunTopology::ring;
  std::int64_t servers = 1;
  Choice<parse_all_reduce> all_reduce = AllReduce::ring;  // topology ring
  std::string compressor = "none";
  std::string compressor_flag = "--compressor";  // its name in this program, for errors
  std::string aggregate = "mean";                // rule for the packets: see parse_aggregation
  std::string optimizer;                         // empty: recommended for the compressor
  std::optional<double> lr;                      // none: recommended for the compressor
  std::optional<std::string> weight_decay_on;    // option of the optimizer's rule: all or matrices
  std::string schedule = "linear";
  std::int64_t batch = 32;  // per worker
  std::int64_t epochs = 3;
  std::int64_t steps = 0;  // 0: as many as the epochs have
  std::uint64_t seed = 1;
  std::int64_t threads = 0;  // of TBB, in the whole process; 0: chosen by complete()
  std::string partition = "iid";
  Choice<parse_non_finite> non_finite = NonFinite::abort;
  std::int64_t max_skipped = 100;  // steps in a row, with skip_step; 0: no limit
  std::string attack = "none";
  Choice<parse_on_failure> on_failure = OnFailure::abort;
  std::optional<double> deadline;  // seconds; none: 30, and 300 with topology async
  std::int64_t local_steps = 0;    // between two exchanges of models; 0: gradients are exchanged
  std::int64_t local_after = 0;    // first steps, in which gradients are exchanged
  std::string outer = "sgd";       // rule that applies the mean difference of models
  std::optional<double> outer_lr;  // of that rule; none: 1
  Choice<parse_measure> measure = Measure{};
  Choice<parse_law_check> check_laws = LawCheck{};
  Choice<parse_split> evaluate = Split::test;
  std::int64_t eval_every = 1;         // epochs; 0: only at the end
  std::int64_t eval_steps = 0;         // steps; 0: every eval_every epochs instead
  std::int64_t checkpoint_every = 0;   // steps; 0: only at the end
  bool exact_convolution = false;      // never Winograd's method
  std::optional<std::string> network;  // a modelled network: virtual time; see parse_network
  std::optional<std::string> compute;  // time of a step, declared; none: measured. With network
  std::optional<double> bucket_mb;     // 10^6 bytes sent at once during backward; 0: after it
  AsyncConfig async;                   // topology async
  std::optional<std::string> record;   // steps whose gradients are stored; see parse_record
  std::optional<std::string> init;     // a safetensors file with the initial weights
  std::optional<std::string> out;

  bool is_async() const { return topology == RunTopology::async; }
};

// The help of --evaluate, in every program that evaluates.
constexpr const char* kEvaluateHelp = "test, or valid (images: --data ...,valid=N)";

// The flags of a run. `train` has all of them and those of add_async_flags; other programs leave
// out what they fix themselves.
void add_data_flags(CommandLine& command_line, RunConfig& config);
void add_training_flags(CommandLine& command_line, RunConfig& config);

// Checks every value that can be checked before data is loaded, and sets what the flags leave open:
// the recommended optimizer and learning rate, and the number of threads. UsageError names the flag
// and a value that would be right.
void complete(RunConfig& config);

// The synchronous topology, with the speed of the modelled network if there is one.
TopologyOptions topology_options(const RunConfig& config);

// A new compressor of the run, whose packets are aggregated by the run's rule, and which the probes
// observe.
std::unique_ptr<Compressor> make_run_compressor(const RunConfig& config,
                                                const StepProbes& probes = {});
// Whether the run continues when a worker leaves.
bool may_shrink(const RunConfig& config);
// How long a wait may last while the worker that is waited for makes no progress; 0: for ever.
std::chrono::milliseconds deadline(const RunConfig& config);
// 0: gradients are exchanged after backward.
double bucket_bytes(const RunConfig& config);

// Every value in effect; the compressor and the optimizer with all their options.
nlohmann::json to_json(const RunConfig& config);
// The configuration that to_json has written. The number of threads is left to complete(). Throws
// Error with the key for a value that is missing or of another type.
RunConfig config_from_json(const nlohmann::json& json);
// The object in the config.json of a run folder. Throws Error with the file if there is none.
nlohmann::json read_config_file(const std::filesystem::path& folder);

}  // namespace terse::run
