// One step of a compressor on a small tensor: packets, decoded values, error and state.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/testing/shapes.hpp"

namespace terse::run {

struct Explanation {
  std::string spec = {};
  MatrixShape shape = {};
  std::uint64_t step = 0;
  std::vector<float> gradient = {}, decoded = {}, residual = {};  // residual: gradient - decoded
  struct Phase {
    Packet packet;
    std::vector<Field> fields;  // of the payload
  };
  std::vector<Phase> phases = {};
  std::vector<std::pair<std::string, std::vector<float>>> state = {};  // kept for the next step
  std::vector<std::string> remarks = {};  // Compressor::remarks for this tensor
  double relative_error = 0;              // |x - C(x)|^2 / |x|^2 = 1 - delta
  double bits_per_value = 0;
};

// Step number `step` of a single worker. The gradients are standard normal.
Explanation explain_step(Compressor& compressor, const MatrixShape& shape, std::uint64_t seed,
                         std::uint64_t step);

std::string to_text(const Explanation& explanation);  // at most 80 columns
nlohmann::json to_json(const Explanation& explanation);

}  // namespace terse::run
