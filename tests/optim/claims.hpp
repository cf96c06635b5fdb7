// What is claimed of the registered compressors: by their papers, and by naive code written from
// the formulas. The compressors are never asked.
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

// The example of every registered compressor, and other options of some.
std::vector<ClaimedSpec> claimed_specs();

// By family, in a file of its own each, with the naive code beside it.
std::vector<ClaimedSpec> sign_claims();
std::vector<ClaimedSpec> sparse_claims();
std::vector<ClaimedSpec> low_rank_claims();
std::vector<ClaimedSpec> quantised_claims();
std::vector<ClaimedSpec> cast_claims();

// ---- what the families share --------------------------------------------------------------------

using Workers = std::vector<OwnedGradients>;
using Shapes = std::vector<MatrixShape>;

std::size_t coordinates(const Shapes& shapes);
std::size_t plane_bytes(const Shapes& shapes);  // of one bit a coordinate
double squares(const std::vector<float>& x);
OwnedGradients zeros_like(const OwnedGradients& x);
// 1 - delta of a compressor that works tensor by tensor, weighted by the tensors' energies.
double weighted(const OwnedGradients& x, double (*part)(const OwnedTensor&, double), double ratio);

}  // namespace terse
