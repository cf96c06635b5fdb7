#include "examples/run/interruption.hpp"

#include <csignal>

namespace terse::run {
namespace {

volatile std::sig_atomic_t received = 0;

void remember(int signal) {
  received = signal;
}

}  // namespace

Interrupted::Interrupted(int signal)
    : Error(fmt::format("interrupted by {}", signal == SIGTERM ? "SIGTERM" : "SIGINT")),
      signal_(signal) {}

void listen_for_interruption() {
  struct sigaction action {};
  action.sa_handler = remember;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

void throw_if_interrupted() {
  if (const int signal = received; signal != 0) throw Interrupted(signal);
}

}  // namespace terse::run
