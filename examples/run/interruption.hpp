// Ctrl-C and SIGTERM end a run between two of its steps, so that what is finished can be kept.
#pragma once

#include "tersegrad/core/error.hpp"

namespace terse::run {

class Interrupted : public Error {
 public:
  explicit Interrupted(int signal);
  int exit_code() const { return 128 + signal_; }  // as a shell has it

 private:
  int signal_;
};

// From here on the first of these signals is remembered; a second one ends the process at once.
void listen_for_interruption();

// Throws Interrupted after a signal. On any thread.
void throw_if_interrupted();

}  // namespace terse::run
