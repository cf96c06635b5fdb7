// The compressors once more, as naively as can be: element by element, in double, from the formula.
#pragma once

#include <string>
#include <vector>

#include "optim/testing/gradients.hpp"

namespace terse {

using Workers = std::vector<OwnedGradients>;

OwnedGradients reference_vote(const Round& round, const Workers& workers, const std::string& tie);
OwnedGradients reference_sign(const Workers& workers);
OwnedGradients reference_topk(const Workers& workers, double ratio);
OwnedGradients reference_randomk(const Round& round, const Workers& workers, double ratio,
                                 bool scaled);
OwnedGradients reference_powersgd(const Round& round, const Workers& workers, std::int64_t rank);

}  // namespace terse
