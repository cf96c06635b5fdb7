// Expected properties of all registered compressors. They are taken from the papers and from naive
// code that is written from the formulas; no code is shared with the compressors.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tersegrad/core/random.hpp"
#include "tersegrad/optim/testing/check_laws.hpp"

namespace terse {

struct ClaimedSpec {
  std::string spec;
  CompressorClaims claims;
};

// The claims for the example of every registered compressor, and for further options of some of
// them.
std::vector<ClaimedSpec> claimed_specs();

// The claims by family. Each function has a file of its own, which holds the family's naive code.
std::vector<ClaimedSpec> sign_claims();
std::vector<ClaimedSpec> sparse_claims();
std::vector<ClaimedSpec> low_rank_claims();
std::vector<ClaimedSpec> quantised_claims();
std::vector<ClaimedSpec> cast_claims();

// ---- shared by the families ---------------------------------------------------------------------

using Workers = std::vector<OwnedGradients>;
using Shapes = std::vector<MatrixShape>;

std::size_t coordinates(const Shapes& shapes);
std::size_t plane_bytes(const Shapes& shapes);  // bytes of one bit per coordinate
double squares(const std::vector<float>& x);
OwnedGradients zeros_like(const OwnedGradients& x);
// 1 - delta of a compressor that works tensor by tensor, weighted by the energies |x_t|^2 of the
// tensors.
double weighted(const OwnedGradients& x, double (*part)(const OwnedTensor&, double), double ratio);

}  // namespace terse
