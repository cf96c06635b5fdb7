#include "examples/train/not_yet.hpp"

#include "examples/run/command_line.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::run {

void NotYet::add_flags(CommandLine& command_line) {
  command_line.flag("--resume", resume_, "not available yet: checkpoints");
}

void NotYet::refuse() const {
  check<UsageError>(!resume_, "--resume is not available yet; leave it out");
}

}  // namespace terse::run
