// What must hold for every compressor, checked: for those of the registry, and for one of yours.
//
//   const auto broken = check_laws([] { return std::make_unique<Mine>(); },
//                                  {.contraction_error = …, .payload_bytes = …, .reference = …});
//   EXPECT_TRUE(broken.empty()) << fmt::format("{}", fmt::join(broken, "\n"));
//
// The claims come from whoever checks, never from the compressor.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "tersegrad/optim/testing/exchange.hpp"
#include "tersegrad/optim/testing/gradients.hpp"

namespace terse {

struct CompressorClaims {
  // E|C(x) - x|^2 / |x|^2: what it is, or (exact = false) is at most. Empty: nothing is claimed.
  std::function<double(const OwnedGradients&)> error = {};
  bool error_is_exact = false;
  bool unbiased = false;     // E C(x) = x
  bool linear = false;       // the result is the one of a single worker with the mean gradient
  bool recoded = false;      // the answer is compressed once more: it is not what workers said
  bool whole_model = false;  // the result may depend on how tensors are put into buckets
  bool permutable = false;  // a tensor's coordinates in another order give the result in that order
  bool rotatable = false;   // C(O M) = O C(M) for orthogonal O: low rank, and permuted rows too
  // Payload of one worker's packets in one step, all phases together.
  std::function<std::size_t(const std::vector<MatrixShape>&)> payload_bytes = {};
  // The mean gradient of the first step (`round.step` 0), written naively from the formula.
  std::function<OwnedGradients(const Round&, const std::vector<OwnedGradients>&)> reference = {};
};

// One line for every law that is broken: "law: what was found, where". Empty if all hold.
std::vector<std::string> check_laws(const MakeCompressor& make, const CompressorClaims& claims);

}  // namespace terse
