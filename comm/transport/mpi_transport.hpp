// The MPI transport: every worker is a process of its own, started by mpirun.
//
//   mpirun -n 4 program          and in each of the four processes:
//
//   MpiSession session;                                   // from MPI_Init to MPI_Finalize
//   run_mpi_workers(session, {}, [&](Worker& me) { train(me); });
//
// Packets travel as bytes in point-to-point messages. No collective of MPI is used, so the order of
// addition, the bits and the byte counts are those of threads. Sending never waits. Receiving
// polls, then yields, then sleeps, because there may be more processes than cores.
//
// A wait ends at its deadline: when the workers that it depends on have made no progress for that
// long (stall.hpp). Once a second each process sends a heartbeat that reports its activity;
// heartbeats do not count as bytes sent. If MPI allows calls by one thread of a process only, there
// are no heartbeats, and the deadline is the longest wait.
//
// Failures. The last message of a worker to each other worker reports how its body has ended. A
// worker that learns of a failure while it waits stops. Every process then receives all pending
// messages until it knows how all workers have ended, and run_mpi_workers throws the same error in
// all processes: the most specific one (wrong usage, then a failure, then a deadline), with the
// rank of its worker, as an Error or UsageError. If a process has not ended a whole deadline later,
// the first of the others prints the error and calls MPI_Abort with code 1. If a process is killed
// from outside, mpirun reports it and ends the others.
#pragma once

#include <chrono>

#include "tersegrad/comm/transport/worker.hpp"
#include "tersegrad/core/parallel.hpp"

namespace terse {

// A process may create one session, once. UsageError in a build without MPI.
class MpiSession {
 public:
  MpiSession();
  ~MpiSession();  // waits for all processes
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  // Whether threads of a process may call MPI, one at a time.
  bool serves_threads() const { return serves_threads_; }

 private:
  int rank_ = 0, size_ = 1;
  bool serves_threads_ = false;
};

struct MpiOptions {
  std::chrono::milliseconds deadline = std::chrono::seconds(30);  // of every wait; 0: never
};

// Every process calls it once. It calls the body with the worker of this process, in an Arena.
// Every packet is parsed as bytes from outside, its checksum included.
void run_mpi_workers(const MpiSession& session, const MpiOptions& options,
                     FunctionRef<void(Worker&)> body);

}  // namespace terse
