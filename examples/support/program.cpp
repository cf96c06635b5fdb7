#include "examples/support/program.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <exception>

#include "core/error.hpp"
#include "examples/support/command_line.hpp"

namespace terse::run {

int run_program(const char* name, const std::function<void()>& job) {
  try {
    job();
    return 0;
  } catch (const HelpShown&) {
    return 0;
  } catch (const UsageError& e) {
    fmt::print(stderr, "{}: {}\n", name, e.what());
    return 2;
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}: {}\n", name, e.what());
    return 1;
  }
}

}  // namespace terse::run
