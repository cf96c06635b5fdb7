// The processes of a run with --transport mpi must agree: how many they are, what they were told to
// do, and which data they read.
#pragma once

#include "examples/run/checkpoint.hpp"
#include "examples/run/config.hpp"
#include "examples/run/task.hpp"
#include "tersegrad/comm/transport/worker.hpp"

namespace terse::run {

// Sets config.workers to the number of processes; with topology async one of them is the server.
// UsageError if the flags name another number.
void count_processes(const Worker& me, RunConfig& config);

// Compares the program's version, the packets' format and every value of the configuration except
// the number of threads, which changes no result. All workers call it together; Error names two
// workers that differ and the first value in which they differ.
void check_same_run(Worker& me, const RunConfig& config);

// Compares the checkpoints from which the workers resume. All workers call it together; Error names
// two workers that differ.
void check_same_checkpoint(Worker& me, const Checkpoint& checkpoint);

// Compares the sizes and hashes of the data. All workers call it together; Error, on all of them,
// names two workers that differ.
void check_same_data(Worker& me, const Dataset& data);

}  // namespace terse::run
