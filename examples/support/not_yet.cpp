#include "examples/support/not_yet.hpp"

#include <array>
#include <utility>

#include "core/error.hpp"
#include "examples/support/command_line.hpp"

namespace terse::run {

void NotYet::add_flags(CommandLine& command_line) {
  const std::string later = "not available yet: ";
  command_line.flag("--aggregate", aggregate_, "mean; others " + later + "robust aggregation")
      .flag("--attack", attack_, later + "faulty workers")
      .flag("--resume", resume_, later + "checkpoints");
}

void NotYet::refuse() const {
  check<UsageError>(!aggregate_ || *aggregate_ == "mean",
                    "--aggregate {}: only 'mean' is available yet", aggregate_.value_or(""));
  const std::array<std::pair<const char*, const std::optional<std::string>*>, 2> later = {
      {{"--attack", &attack_}, {"--resume", &resume_}}};
  for (const auto& [name, value] : later) {
    check<UsageError>(!*value, "{} is not available yet; leave it out", name);
  }
}

}  // namespace terse::run
