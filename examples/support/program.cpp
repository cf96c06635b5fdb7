#include "examples/support/program.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <exception>

#include "core/error.hpp"
#include "examples/support/command_line.hpp"

namespace terse::run {

int run_program(const char* name, const std::function<void()>& job, bool speaks) {
  const auto say = [&](const char* what) {
    if (speaks) fmt::print(stderr, "{}: {}\n", name, what);
  };
  try {
    job();
    return 0;
  } catch (const HelpShown&) {
    return 0;
  } catch (const UsageError& e) {
    say(e.what());
    return 2;
  } catch (const std::exception& e) {
    say(e.what());
    return 1;
  }
}

}  // namespace terse::run
