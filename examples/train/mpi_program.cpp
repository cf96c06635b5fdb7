#include "examples/train/mpi_program.hpp"

#include <cstdlib>
#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "examples/run/interruption.hpp"
#include "examples/run/output.hpp"
#include "examples/run/program.hpp"
#include "examples/train/resume.hpp"
#include "tersegrad/comm/transport/mpi_transport.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::run {
namespace {

// Whether --resume names the folder of a run under mpirun. The job reports a folder that cannot be
// read.
bool resumes_mpi(int argc, char** argv) {
  try {
    const auto folder = resumed_folder(argc, argv);
    return folder && read_config(*folder).value("transport", "") == to_string(Transport::mpi);
  } catch (const std::exception&) {
    return false;
  }
}

bool asks_for_mpi(int argc, char** argv) {
  bool asks = false;
  std::string_view before;
  for (const std::string_view word : std::span(argv, static_cast<std::size_t>(argc))) {
    if (word == "--help" || word == "-h") return false;
    asks |= word == "--transport=mpi" || (before == "--transport" && word == "mpi");
    before = word;
  }
  return asks || resumes_mpi(argc, argv);
}

// Warns, in the first of several processes that a launcher has started, that each does the same
// run.
void warn_of_several(const char* name) {
  constexpr std::pair<const char*, const char*> kLaunchers[] = {
      {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"}, {"PMI_SIZE", "PMI_RANK"}};
  for (const auto& [size, rank] : kLaunchers) {
    const char *processes = std::getenv(size), *own = std::getenv(rank);
    if (processes == nullptr || std::atoi(processes) < 2) continue;
    if (own == nullptr || std::atoi(own) == 0) {
      note(
          "{}: {} processes were started, and each is about to do the same run; with --transport "
          "mpi they are the workers of one run\n",
          name, processes);
    }
    return;
  }
}

}  // namespace

int run_mpi_program(const char* name, int argc, char** argv,
                    const std::function<void(Worker* me)>& job) {
  if (!asks_for_mpi(argc, argv)) {
    warn_of_several(name);
    return run_program(name, [&] { job(nullptr); });
  }
  std::optional<MpiSession>
      session;  // destroyed last: no process may exit before the error is printed
  const int code = run_program(name, [&] { session.emplace(); });
  if (code != 0) return code;
  return run_program(
      name,
      [&] {
        try {
          run_mpi_workers(*session, {}, [&](Worker& me) { job(&me); });
        } catch (const Error&) {
          throw_if_interrupted();  // workers throw the common error, which has lost its type
          throw;
        }
      },
      session->rank() == 0);
}

}  // namespace terse::run
