// The time of one exchange, and of a training step, in a modelled network: real packets of random
// gradients with the tensor shapes of a model.
//
//   network   the exchange alone in comm's model of a network, without local work: exact
//   coding    encode + decode, with the reading of the whole mean, measured on this CPU: one thread
//             a worker, one worker at a time, the median of several runs. The coding of `none` is
//             0, with or without clipping: its gradients can be summed where they are
//   exchange  network + coding
//   step      compute + exchange, without overlap; compute: forward and backward
//
// Additions of an all-reduce and the update are left out for every method. For linear packets the
// all-reduce is the fastest one in the model (comm/collectives/all_reduce.hpp), as in NCCL.
//
// Two steps with the same compute differ by their exchanges alone, so no order of methods depends
// on the time of forward and backward. Percentages do: see compute_on_this_cpu.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "examples/paper/claim.hpp"
#include "examples/run/step_time.hpp"
#include "tersegrad/optim/testing/shapes.hpp"

namespace terse::paper {

// A method whose exchange is timed.
struct TimedMethod {
  std::string spec;  // of the compressor
  std::int64_t workers = 16;
  std::vector<std::string> networks = {"10gbe"};  // see parse_network
  std::string all_reduce = "auto";                // for linear packets: see parse_all_reduce
  int coding_runs = 5;                            // 0: the network alone
  // The exchange of so many buckets overlaps with backward. Then the network's seconds are those
  // that `compute`, the seconds of forward and backward, does not hide.
  int buckets = 1;
  double compute = 0;
};

// The row of a method: {spec, workers, all_reduce, payload_bytes, bytes_sent_per_worker,
// network: {name: seconds}, encode: [seconds of each run], decode: […]}. The bytes include headers
// and are the mean over workers, except `payload_bytes`, which one worker encodes.
nlohmann::json time_exchange(const std::vector<MatrixShape>& shapes, const TimedMethod& method);
// `gradients` has at least as many workers as the method.
nlohmann::json time_exchange(run::SyntheticGradients& gradients, const TimedMethod& method);

// Times the methods one after the other: {methods: [row, …]}. `shapes` is a name of parse_shapes.
// A quick one has the shapes of LeNet-5, at most four workers and one run.
Experiment exchange_times(std::string name, std::string shapes, std::vector<TimedMethod> methods,
                          double seconds, Scale scale);

// The row of a method in that of an experiment; 0 workers: of any number. InternalError if there is
// none.
const nlohmann::json& timed_method(const nlohmann::json& row, std::string_view spec,
                                   std::int64_t workers = 0, std::string_view all_reduce = "auto");

// Values of the rows.
double network_seconds(const nlohmann::json& method, const std::string& network);
double encode_seconds(const nlohmann::json& method);
double decode_seconds(const nlohmann::json& method);
double coding_seconds(const nlohmann::json& method);
double exchange_seconds(const nlohmann::json& method, const std::string& network);
std::string milliseconds_text(double seconds);  // "12.3 ms"

// Forward and backward of ResNet-18 for one worker's batch of the paper, 128 images of 3x32x32, on
// this CPU with one thread: {seconds: [of each run], batch}. A quick one has a batch of 2.
Experiment compute_on_this_cpu(Scale scale);
inline constexpr std::string_view kComputeRow = "times/resnet18-compute";  // its name
double compute_seconds(const Rows& rows);                                  // the median
std::vector<double> compute_runs(const Rows& rows);
// A step combines the times of this row and of `exchange_row`. Throws Error if two CPUs measured
// them; `claim` measures both.
void check_cpu_of_compute(const Rows& rows, const std::string& exchange_row, const char* claim);

}  // namespace terse::paper
