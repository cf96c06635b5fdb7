// The frame of every program: an error becomes one line and an exit code.
#pragma once

#include <functional>

namespace terse::run {

// Runs `job` and returns 0; for an error, prints "NAME: the error" to standard error and returns 1,
// or 2 for a UsageError. Without `prints` another process prints the error.
int run_program(const char* name, const std::function<void()>& job, bool prints = true);

}  // namespace terse::run
