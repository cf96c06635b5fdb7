#include "tersegrad/comm/transport/mpi_transport.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

#include "tersegrad/comm/transport/mpi_endpoint.hpp"
#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

[[noreturn]] void abort_all(Endings endings, int rank, std::chrono::milliseconds deadline) {
  const auto present = [](const auto& ending) { return ending.has_value(); };
  const bool speaks = std::ranges::find_if(endings, present) - endings.begin() == rank;
  if (speaks) {
    std::fputs((stuck_text(endings, rank, deadline) + "\n").c_str(), stderr);
    std::fflush(stderr);
  } else {
    std::this_thread::sleep_for(std::chrono::seconds(2));  // who speaks ends this process, too
  }
  MPI_Abort(MPI_COMM_WORLD, 1);
  std::abort();
}

}  // namespace

MpiSession::MpiSession() {
  int given = 0;
  check_mpi(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &given), "MPI_Init_thread");
  serves_threads_ = given >= MPI_THREAD_SERIALIZED;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
}

MpiSession::~MpiSession() {
  MPI_Finalize();
}

void run_mpi_workers(const MpiSession& session, const MpiOptions& options,
                     FunctionRef<void(Worker&)> body) {
  MpiEndpoint endpoint(session, options.deadline);
  Ending own;
  try {
    Worker me(endpoint, Verify::by_transport);
    Arena arena;
    arena.run([&] { body(me); });
  } catch (...) {
    own = Ending::of_exception();
  }
  bool together = false;
  try {
    together = endpoint.leave(std::move(own));
  } catch (const Error&) {  // MPI itself fails, or a peer that is none of ours: no way to go on
  }
  if (!together) abort_all(endpoint.endings(), session.rank(), options.deadline);
  throw_summary(endpoint.endings());
}

}  // namespace terse
