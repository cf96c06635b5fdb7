#pragma once

#include <memory>

#include "core/spec.hpp"
#include "optim/optimizer.hpp"

namespace terse {

std::unique_ptr<UpdateRule> make_sgd(Options& options);

}  // namespace terse
