#include "examples/run/fault_flags.hpp"

#include <cmath>

#include "examples/run/command_line.hpp"
#include "examples/run/config.hpp"
#include "tersegrad/comm/faults/attack.hpp"
#include "tersegrad/comm/setup/non_finite.hpp"
#include "tersegrad/comm/transport/failure.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::run {

void add_fault_flags(CommandLine& command_line, RunConfig& c) {
  command_line.flag("--attack", c.attack, "by the last workers: sign-flip:workers=1, die:at=9")
      .flag("--on-failure", c.on_failure, "a worker dies: abort, or continue without it")
      .flag("--deadline", c.deadline, "seconds that a wait may stand still; 0: any [30]");
}

std::chrono::milliseconds deadline(const RunConfig& c) {
  const double seconds = c.deadline.value_or(c.is_async() ? 300 : 30);
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(1e3 * seconds)));
}

bool may_shrink(const RunConfig& c) {
  return c.on_failure == OnFailure::go_on || c.non_finite == NonFinite::drop_worker;
}

void check_fault_flags(RunConfig& c) {
  check<UsageError>(!c.deadline || (*c.deadline >= 0 && *c.deadline <= 1e9),
                    "--deadline: 0 to 1e9 seconds; got {}", c.deadline.value_or(0));
  const auto attack = parse_attack(c.attack);
  check_attack(attack, static_cast<int>(c.workers));
  c.attack = to_string(attack);
  if (attack.kind != Attack::Kind::none) {
    check<UsageError>(c.local_steps == 0 || attack.on_wire(),
                      "--attack {} with --local-steps is not available yet: models travel there, "
                      "and no gradients; attacks on packets are",
                      c.attack);
    check<UsageError>(c.topology != RunTopology::local || !attack.on_wire(),
                      "--attack {} with --topology local: no packet is sent there; take ring or "
                      "server",
                      c.attack);
  }
  if (!may_shrink(c)) return;
  const auto* flag =
      c.on_failure == OnFailure::go_on ? "--on-failure continue" : "--non-finite drop_worker";
  check<UsageError>(c.transport == Transport::threads,
                    "{} with --transport mpi: mpirun ends the whole job when a process ends with "
                    "an error, so nobody is left to go on; take threads",
                    flag);
  check<UsageError>(!c.is_async(),
                    "{} with --topology async is not available: its workers have no common step to "
                    "go on from; take local, ring or server",
                    flag);
  check<UsageError>(c.local_steps == 0,
                    "{} with --local-steps is not available: workers agree at meetings alone, and "
                    "the models of the others have gone on since the last",
                    flag);
}

}  // namespace terse::run
