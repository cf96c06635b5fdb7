// What every program's main does around its job: errors become one line and an exit code.
#pragma once

#include <functional>

namespace terse::run {

// Runs `job`; returns 0, or prints "NAME: what is wrong" to standard error and returns 1, or 2 for
// a UsageError. One of many processes may have to leave the printing to another.
int run_program(const char* name, const std::function<void()>& job, bool speaks = true);

}  // namespace terse::run
