// The flags of train.
#pragma once

#include "examples/run/config.hpp"

namespace terse::run {

struct TrainFlags {
  RunConfig config;  // not yet complete
  bool describe = false, json = false;
};

// `mpi`: the number of workers has no default, because mpirun decides it. UsageError, or HelpShown.
TrainFlags parse_train_flags(int argc, char** argv, bool mpi);

}  // namespace terse::run
