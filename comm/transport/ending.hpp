// How workers that are processes have ended, and the one error that all of them report: the worst
// kind of ending, with the first worker that ended so. Waits past the deadline are reported
// together, and an error that all workers have names no worker.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "tersegrad/core/error.hpp"

namespace terse {

// A wait that ended because another worker failed.
class CalledOff : public Error {
 public:
  using Error::Error;
};

// A wait that ended at its deadline.
class Timeout : public Error {
 public:
  using Error::Error;
};

struct Ending {
  // The later one explains more.
  enum class Kind : std::uint8_t { done, called_off, timeout, error, usage };
  Kind kind = Kind::done;
  std::string text = {};

  // The ending of a body whose exception is being caught.
  static Ending of_exception();
};

// By rank; workers that have not returned have none.
using Endings = std::span<const std::optional<Ending>>;

// The one ending of all that are known.
Ending summary(Endings endings);

// Throws the summary as Error or UsageError, unless all are done.
void throw_summary(Endings endings);

// The error that `rank` reports when it gives up workers that have not returned a `deadline` after
// the others.
std::string stuck_text(Endings endings, int rank, std::chrono::milliseconds deadline);

}  // namespace terse
