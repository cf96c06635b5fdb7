// Ctrl-C and SIGTERM end a run between two steps, so that finished results are kept.
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

// The first of these signals is remembered; a second one ends the process at once.
void listen_for_interruption();

// Throws Interrupted if a signal has arrived. Any thread may call it.
void throw_if_interrupted();

}  // namespace terse::run
