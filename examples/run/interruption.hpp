// Ctrl-C, SIGTERM and SIGHUP (a closed terminal) end a run between two steps, so that finished results are kept.
#pragma once

#include "tersegrad/core/error.hpp"

namespace terse::run {

class Interrupted : public Error {
 public:
  explicit Interrupted(int signal);
  int exit_code() const { return 128 + signal_; }  // the shell's convention

 private:
  int signal_;
};

// The first of these signals is remembered; a second one, at least 0.3 s later, ends the process at
// once.
void listen_for_interruption();

// Whether a signal has arrived. Any thread may call it.
bool interrupted();
// Throws Interrupted if a signal has arrived. Any thread may call it.
void throw_if_interrupted();
// Throws Interrupted; the signal may have arrived in another process of the run.
[[noreturn]] void throw_interrupted();

}  // namespace terse::run
