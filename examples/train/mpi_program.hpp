// The frame of a program that mpirun may start as several processes.
#pragma once

#include <functional>

#include "tersegrad/comm/transport/worker.hpp"

namespace terse::run {

// Like run_program; the job gets the worker of this process with `--transport mpi`, and nullptr
// otherwise. MPI is initialized first, so that an error in any process, a wrong flag too, becomes
// one error of all processes, which worker 0 prints.
int run_mpi_program(const char* name, int argc, char** argv,
                    const std::function<void(Worker* me)>& job);

}  // namespace terse::run
