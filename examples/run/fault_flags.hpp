// Flags of workers that attack or die: --attack and --on-failure.
#pragma once

namespace terse::run {

class CommandLine;
struct RunConfig;

void add_fault_flags(CommandLine& command_line, RunConfig& config);

// UsageError for what is unknown, and for what cannot happen in this run, with the reason.
void check_fault_flags(RunConfig& config);

// Whether the run may lose workers and go on.
bool may_shrink(const RunConfig& config);

}  // namespace terse::run
