// Break-even: the bandwidths at which a method is faster than `none`, from one short run of each.
//
// Measured on this machine, with W0 workers in a network without cost: the local time of a step,
// L = encode + exchange (copies and additions) + decode. Counted: the payload `up` of a worker's
// packets, the payload `down` of the down packets, the phases k of a step. Computed for W workers
// over the ring, with latency a, rate b and 32 bytes of header for each message:
//
//                network N(W)                                local work
//   linear       2 (W-1) (k a + (32 k + up/W) / b)           encode, decode; exchange by (W-1)/W
//   sliceable    2 k a + (W-1) (64 k + (up + down)/W) / b    the same
//   otherwise    (W-1) (k a + (32 k + up) / b)               encode; exchange by W-1, decode by W
//
//   step         compute + L(W) + N(W)
//
// Both times are affine in 1/b, so they cross at most once: at the break-even rate. The exchange
// does not overlap with backward.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "examples/run/config.hpp"
#include "examples/run/step_time.hpp"
#include "tersegrad/comm/transport/accounting.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse::run {

// Measurements of a method.
struct MeasuredMethod {
  std::string spec;
  Traits traits;
  std::int64_t workers = 1;  // of the measurement
  double up = 0, down = 0;   // payload bytes
  PartTimes local = {};      // seconds
  double network_seconds(std::int64_t w, double latency, double bytes_per_second) const;
  double local_seconds(std::int64_t w) const;
};

// The network of `config` is ignored.
MeasuredMethod measure_method(const RunConfig& config, SyntheticGradients& gradients,
                              std::int64_t steps);

// The method's step is shorter than that of `none` at rates above `from` and below `below`, in bits
// per second. `below` is infinite if there is no such bound, and 0 if it never is. `from` is above
// 0 only for a method that sends more than `none`.
struct BreakEven {
  double from = 0, below = 0;
};
BreakEven break_even(const MeasuredMethod& method, const MeasuredMethod& none, std::int64_t workers,
                     double latency);
std::string to_string(const BreakEven& rates);

struct Advice {
  double compute = 0, latency = 0;           // seconds
  std::vector<MeasuredMethod> methods = {};  // the first one is `none`
  double step_seconds(const MeasuredMethod& m, std::int64_t workers, double bits_per_second) const {
    return compute + m.local_seconds(workers) +
           m.network_seconds(workers, latency, bits_per_second / 8);
  }
};
std::string table_text(const Advice& advice);  // in 80 columns
std::string chart_svg(const Advice& advice);   // time of a step over bandwidth
nlohmann::json to_json(const Advice& advice);

}  // namespace terse::run
