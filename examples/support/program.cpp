#include "examples/support/program.hpp"

#include <fmt/core.h>

#include <csignal>
#include <exception>
#include <new>
#include <string_view>
#include <system_error>

#include "core/error.hpp"
#include "examples/support/command_line.hpp"
#include "examples/support/interruption.hpp"
#include "examples/support/output.hpp"

namespace terse::run {

int run_program(const char* name, const std::function<void()>& job, bool speaks) {
  // What cannot be written is an error like others, not the end of the process.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  const auto say = [&](std::string_view what) {
    if (speaks) note("{}: {}\n", name, what);
  };
  const auto finish = [&] {
    const int reason = output_failure();
    if (reason == 0) return 0;
    say(fmt::format("standard output: cannot be written: {}",
                    std::generic_category().message(reason)));
    return 1;
  };
  try {
    job();
    return finish();
  } catch (const HelpShown&) {
    return finish();
  } catch (const Interrupted& e) {
    say(e.what());
    return e.exit_code();
  } catch (const UsageError& e) {
    say(e.what());
    return 2;
  } catch (const std::bad_alloc&) {
    say("out of memory; take a smaller --batch, fewer --workers or a smaller model");
    return 1;
  } catch (const std::exception& e) {
    say(e.what());
    return 1;
  }
}

}  // namespace terse::run
