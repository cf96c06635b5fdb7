// A test of the properties that every compressor must have, for compressors of the registry and for
// new ones.
//
//   const auto broken = check_laws([] { return std::make_unique<Mine>(); },
//                                  {.error = …, .payload_bytes = …, .reference = …});
//   EXPECT_TRUE(broken.empty()) << fmt::format("{}", fmt::join(broken, "\n"));
//
// The claims are given by the test, not read from the compressor.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "tersegrad/optim/testing/exchange.hpp"
#include "tersegrad/optim/testing/gradients.hpp"

namespace terse {

struct CompressorClaims {
  // E|C(x) - x|^2 / |x|^2. The measured mean must equal this value if `error_is_exact`, and may not
  // exceed it otherwise. Empty: not checked.
  std::function<double(const OwnedGradients&)> error = {};
  bool error_is_exact = false;
  bool unbiased = false;     // E C(x) = x
  bool linear = false;       // the result equals that of one worker with the mean gradient
  bool recoded = false;      // the down packet is compressed again, so decode(own packet) != result
  bool whole_model = false;  // the result may depend on how tensors are divided into buckets
  bool permutable = false;   // C commutes with a permutation of the coordinates of a tensor
  bool rotatable = false;    // C(O M) = O C(M) for orthogonal O, including permutations of rows
  // Payload bytes of one worker's packets in one step, summed over all phases.
  std::function<std::size_t(const std::vector<MatrixShape>&)> payload_bytes = {};
  // A naive implementation of the formula: the mean gradient of the first step (`round.step` 0).
  std::function<OwnedGradients(const Round&, const std::vector<OwnedGradients>&)> reference = {};
};

// Runs all checks. Returns one line for each violation, "property: what was found, where"; empty if
// there are none.
std::vector<std::string> check_laws(const MakeCompressor& make, const CompressorClaims& claims);

}  // namespace terse
