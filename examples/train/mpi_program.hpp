// A program's main that mpirun may have started many times.
#pragma once

#include <functional>

#include "tersegrad/comm/transport/worker.hpp"

namespace terse::run {

// run_program, where the job gets the worker of this process if the arguments have `--transport
// mpi`, and a null pointer otherwise. MPI begins before anything else may fail: what goes wrong in
// any process, be it a wrong flag, is one error of all, which worker 0 prints.
int run_mpi_program(const char* name, int argc, char** argv,
                    const std::function<void(Worker* me)>& job);

}  // namespace terse::run
