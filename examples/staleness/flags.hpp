// The flags of staleness.
#pragma once

#include <string>

#include "examples/staleness/sweep.hpp"

namespace terse::run {

struct StalenessFlags {
  Sweep sweep;
  std::string out = "runs/staleness";
  bool json = false;
};
StalenessFlags parse_staleness_flags(int argc, char** argv);

}  // namespace terse::run
