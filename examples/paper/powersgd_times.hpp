// PowerSGD's statements about time: Tables 3 to 6 and Figure 3 of arXiv 1905.13727, in modelled
// networks (exchange_time.hpp).
//
// The steps of the paper took place on graphics cards, the coding that is measured here on a CPU.
// The order of methods does not depend on the compute time, which all have in common. Where a share
// of a step is stated, forward and backward are of the same CPU as coding; beside it stands the
// share with 200 ms, about the paper's GPU, which counts the CPU's coding against compression.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

inline constexpr double kPaperCompute = 0.2;  // seconds of forward and backward, about the GPU's
inline constexpr const char* kFastNetwork = "10gbe";
inline constexpr const char* kSlowNetwork = "1gbe";

// Adds step-time, fast-operators, the claims of powersgd_scaling.hpp, slow-network and time-split.
void add_time_claims(Paper& paper, Scale scale);

// Encoding by ATOMO and PowerSGD of rank 2, ResNet-18.
Experiment atomo_times(Scale scale);
// How many times as long ATOMO encodes.
double atomo_encoding_ratio(const Rows& rows);

}  // namespace terse::paper
