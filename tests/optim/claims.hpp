// What is claimed of the registered compressors: by their papers, and by naive code written from
// the formulas. The compressors are never asked.
#pragma once

#include <string>
#include <vector>

#include "optim/testing/check_laws.hpp"

namespace terse {

struct ClaimedSpec {
  std::string spec;
  CompressorClaims claims;
};

// The example of every registered compressor, and other options of some.
std::vector<ClaimedSpec> claimed_specs();

}  // namespace terse
