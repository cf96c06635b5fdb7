#include "examples/run/program.hpp"

#include <fmt/core.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "examples/run/command_line.hpp"
#include "examples/run/interruption.hpp"
#include "examples/run/output.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::run {

namespace {

bool memory_is_limited() {
  return std::ranges::any_of(std::array{RLIMIT_AS, RLIMIT_DATA}, [](auto resource) {
    rlimit limit{};
    return getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  });
}

// OpenBLAS starts its threads when the program is loaded, and each allocates a buffer of 128 MiB.
// If the allocation fails, the thread retries for ever and the program cannot exit, because exit
// waits for the thread. Where memory is limited, the program therefore executes itself again with
// the environment variable that makes OpenBLAS start no threads.
void restart_without_blas_threads() {
  constexpr const char* kThreads = "OPENBLAS_NUM_THREADS";
  if (!memory_is_limited() || std::getenv(kThreads) != nullptr) return;
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  if (words.empty()) return;
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  setenv(kThreads, "1", 1);
  execv("/proc/self/exe", arguments.data());
}

}  // namespace

int run_program(const char* name, const std::function<void()>& job, bool prints) {
  restart_without_blas_threads();
  // Make failed writes return an error instead of ending the process.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  const auto say = [&](std::string_view what) {
    if (prints) note("{}: {}\n", name, what);
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
    say("out of memory; use a smaller --batch, fewer --workers or a smaller model");
    return 1;
  } catch (const std::exception& e) {
    say(e.what());
    return 1;
  }
}

}  // namespace terse::run
