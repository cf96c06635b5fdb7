#include "examples/run/interruption.hpp"

#include <csignal>
#include <ctime>

namespace terse::run {
namespace {

volatile std::sig_atomic_t received = 0;
timespec first_time{};  // when it was received; used by the handler alone

// `timeout` and launchers send a signal to the process and to its group, so it may come twice.
void remember(int signal) {
  constexpr double kTogether = 0.3;  // seconds
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (received == 0) {
    first_time = now;
    received = signal;
    return;
  }
  const double later = static_cast<double>(now.tv_sec - first_time.tv_sec) +
                       1e-9 * static_cast<double>(now.tv_nsec - first_time.tv_nsec);
  if (later < kTogether) return;
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

Interrupted::Interrupted(int signal)
    : Error(fmt::format("interrupted by {}", signal == SIGTERM  ? "SIGTERM"
                                             : signal == SIGHUP ? "SIGHUP"
                                                                : "SIGINT")),
      signal_(signal) {}

void listen_for_interruption() {
  struct sigaction action {};
  action.sa_handler = remember;
  action.sa_flags = SA_RESTART;
  sigaddset(&action.sa_mask, SIGINT);  // one handler at a time
  sigaddset(&action.sa_mask, SIGTERM);
  sigaddset(&action.sa_mask, SIGHUP);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  struct sigaction present {};  // nohup ignores it
  sigaction(SIGHUP, nullptr, &present);
  if (present.sa_handler == SIG_DFL) sigaction(SIGHUP, &action, nullptr);
}

bool interrupted() {
  return received != 0;
}

void throw_if_interrupted() {
  if (const int signal = received; signal != 0) throw Interrupted(signal);
}

void throw_interrupted() {
  const int signal = received;
  throw Interrupted(signal != 0 ? signal : SIGTERM);
}

}  // namespace terse::run
