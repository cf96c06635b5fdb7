// The bytes that each method sends, counted in exchanges of random gradients, and their table.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "examples/run/config.hpp"
#include "tersegrad/optim/testing/shapes.hpp"

namespace terse::run {

// Means over the steps.
struct MethodBytes {
  std::string method;
  double message_bytes = 0;          // payload of one worker's packets
  double bytes_sent_per_worker = 0;  // headers and forwarding included; mean over workers
};

// The gradients are standard normal, different for every worker and step. `config` names workers,
// topology, servers, compressor and seed.
MethodBytes count_bytes(const RunConfig& config, const std::vector<MatrixShape>& shapes,
                        std::int64_t steps);

struct BytesTable {
  const RunConfig& config;
  std::int64_t parameters = 0, tensors = 0;
  std::int64_t steps_per_epoch = 0, steps = 0;  // steps: exchanges counted
  std::vector<MethodBytes> rows = {};
};
std::string to_text(const BytesTable& table);  // in 80 columns, with notes on the methods in it
nlohmann::json to_json(const BytesTable& table);

}  // namespace terse::run
