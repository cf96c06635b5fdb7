// The MPI transport: every worker is a process of its own, started by mpirun.
//
//   mpirun -n 4 program          and in each of the four processes:
//
//   MpiSession session;                                   // from MPI_Init to MPI_Finalize
//   run_mpi_workers(session, {}, [&](Worker& me) { train(me); });
//
// Packets travel as bytes by point-to-point messages; no collective of MPI is used, so the order of
// addition, the bits and the bytes are those of threads. Sending never waits. Receiving looks for
// the message, then yields, then sleeps: ranks may outnumber cores.
//
// A wait ends at its deadline: when the workers that it depends on have made no progress for so
// long (stall.hpp). Each process says once a second, in a heartbeat, what it does; heartbeats are
// not counted as bytes sent. Where MPI serves one thread of a process alone there are none, and
// the deadline is simply the longest wait.
//
// Failures. How a worker's body ended, well or not, is the last message that it sends to each
// other; who waits and learns of a failure stops there. Every process then takes in what was still
// under way, until it knows how all have ended, and run_mpi_workers throws the same error in all of
// them: that of the worker whose fault it seems most (a wrong flag before a failure before a
// deadline that passed), with its number, as an Error or UsageError. Processes that have not come
// back a whole deadline after that cannot be waited for: the first of the others prints the error
// and calls MPI_Abort with code 1. A process that is killed from outside is mpirun's business: it
// says so and ends the others.
#pragma once

#include <chrono>

#include "tersegrad/comm/transport/worker.hpp"
#include "tersegrad/core/parallel.hpp"

namespace terse {

// At most one in a process, and not again after it. A build without MPI refuses it: UsageError.
class MpiSession {
 public:
  MpiSession();
  ~MpiSession();  // waits until every process is here
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

// Once in every process: calls the body with the worker of this process, in an Arena. Every packet
// is parsed as bytes from outside, its checksum included.
void run_mpi_workers(const MpiSession& session, const MpiOptions& options,
                     FunctionRef<void(Worker&)> body);

}  // namespace terse
