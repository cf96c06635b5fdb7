#include "examples/support/mpi_program.hpp"

#include <optional>
#include <span>
#include <string_view>

#include "comm/mpi_transport.hpp"
#include "examples/support/program.hpp"

namespace terse::run {
namespace {

bool asks_for_mpi(int argc, char** argv) {
  bool asks = false;
  std::string_view before;
  for (const std::string_view word : std::span(argv, static_cast<std::size_t>(argc))) {
    if (word == "--help" || word == "-h") return false;
    asks |= word == "--transport=mpi" || (before == "--transport" && word == "mpi");
    before = word;
  }
  return asks;
}

}  // namespace

int run_mpi_program(const char* name, int argc, char** argv,
                    const std::function<void(Worker* me)>& job) {
  if (!asks_for_mpi(argc, argv)) return run_program(name, [&] { job(nullptr); });
  std::optional<MpiSession> session;  // ends last: no process may leave before the error is printed
  const int code = run_program(name, [&] { session.emplace(); });
  if (code != 0) return code;
  return run_program(
      name, [&] { run_mpi_workers(*session, {}, [&](Worker& me) { job(&me); }); },
      session->rank() == 0);
}

}  // namespace terse::run
