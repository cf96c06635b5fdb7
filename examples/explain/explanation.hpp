// What a compressor says of one small tensor, as `explain` shows it.
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
  std::vector<float> gradient = {}, decoded = {}, left_unsaid = {};
  struct Said {
    Packet packet;
    std::vector<Field> fields;  // of the payload
  };
  std::vector<Said> said = {};                                         // by phase
  std::vector<std::pair<std::string, std::vector<float>>> state = {};  // kept for the next step
  double relative_error = 0;  // |x - C(x)|^2 / |x|^2; delta is what is missing to 1
  double bits_per_value = 0;
};

// The step of this number of a lone worker whose gradients are standard normal draws.
Explanation explain_step(Compressor& compressor, const MatrixShape& shape, std::uint64_t seed,
                         std::uint64_t step);

std::string to_text(const Explanation& explanation);  // at most 80 columns
nlohmann::json to_json(const Explanation& explanation);

}  // namespace terse::run
