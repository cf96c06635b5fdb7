// In place of mpi_transport.cpp, where CMake found no MPI.
#include "tersegrad/comm/transport/mpi_transport.hpp"
#include "tersegrad/core/error.hpp"

namespace terse {

MpiSession::MpiSession() {
  throw UsageError(
      "--transport mpi: this program was built without MPI; install libopenmpi-dev and "
      "openmpi-bin, remove build/release and build again");
}

MpiSession::~MpiSession() = default;

void run_mpi_workers(const MpiSession&, const MpiOptions&, FunctionRef<void(Worker&)>) {
  throw InternalError("internal error: there is no MPI session in a build without MPI");
}

}  // namespace terse
