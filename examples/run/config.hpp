// What a training run is: one value a flag of `train`.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "examples/run/async_flags.hpp"
#include "tersegrad/comm/topology/topology.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse::run {

class CommandLine;

struct RunConfig {
  std::string model = "lenet";
  std::string data = "fashion-mnist";
  std::int64_t workers = 4;
  std::string transport = "threads";  // or mpi: `workers` is then how many mpirun started
  std::string topology = "ring";
  std::int64_t servers = 1;
  std::string all_reduce = "ring";  // with topology ring
  std::string compressor = "none";
  std::string compressor_flag = "--compressor";  // what the program calls it, for errors
  std::string aggregate = "mean";              // what becomes of the packets: see parse_aggregation
  std::string optimizer;                       // empty: as recommended for the compressor
  std::optional<double> lr;                    // likewise
  std::optional<std::string> weight_decay_on;  // option of the optimizer's rule: all or matrices
  std::string schedule = "linear";
  std::int64_t batch = 32;  // per worker
  std::int64_t epochs = 3;
  std::int64_t steps = 0;  // 0: by epochs
  std::uint64_t seed = 1;
  std::int64_t threads = 0;  // of TBB, in the whole process; 0: as complete() finds best
  std::string partition = "iid";
  std::string non_finite = "abort";
  std::int64_t max_skipped = 100;  // steps in a row, with skip_step; 0: any
  std::string attack = "none";
  std::string on_failure = "abort";
  std::optional<double> deadline;      // seconds; none: 30, and 300 of an asynchronous server
  std::int64_t local_steps = 0;        // from meeting to meeting of the models; 0: gradients meet
  std::int64_t local_after = 0;        // steps in which gradients meet before
  std::string outer = "sgd";           // the rule that a meeting steps with, and its rate
  std::optional<double> outer_lr;      // 1 if there is none
  std::string measure = "none";        // none, or density: of the gradient, at each epoch's start
  std::int64_t eval_every = 1;         // epochs; 0: only at the end
  bool exact_convolution = false;      // never Winograd's method
  std::optional<std::string> network;  // a modelled one: virtual time; see parse_network
  std::optional<std::string> compute;  // with it: of a step, declared instead of measured
  std::optional<double> bucket_mb;     // gradients travel during backward; 10^6 bytes; 0 if none
  AsyncConfig async;                   // with topology async
  std::optional<std::string> out;
};

// The flags of a run. `train` takes all of them and add_async_flags; what a program fixes itself it
// leaves out.
void add_data_flags(CommandLine& command_line, RunConfig& config);
void add_training_flags(CommandLine& command_line, RunConfig& config);

// Puts the recommended optimizer and rate where none was given, and the number of threads; checks
// every value that can be checked before anything is loaded. UsageError says what would be right.
void complete(RunConfig& config);

// How the workers' packets meet, with the speed of a modelled network if there is one.
TopologyOptions topology_options(const RunConfig& config);

// A new compressor of the run, whose packets meet by its rule.
std::unique_ptr<Compressor> make_run_compressor(const RunConfig& config);
// How long a wait lasts while the worker that is waited for makes no progress; 0: for ever.
std::chrono::milliseconds deadline(const RunConfig& config);
// 0: gradients travel after backward.
double bucket_bytes(const RunConfig& config);

// Every value in effect; the compressor and the optimizer with all their options.
nlohmann::json to_json(const RunConfig& config);

}  // namespace terse::run
