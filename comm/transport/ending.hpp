// How workers that are processes have ended, and what all of them say of it: the worst kind, with
// its first worker. Waits past the deadline belong together, and an error that all have is
// nobody's.
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

  // Of a body that throws what is being caught.
  static Ending of_exception();
};

// By rank; those that have not come back have none.
using Endings = std::span<const std::optional<Ending>>;

// The one ending of all that are known.
Ending summary(Endings endings);

// Throws the summary as Error or UsageError, unless all are done.
void throw_summary(Endings endings);

// What `rank` says when it gives up those that have not come back so long after the others.
std::string stuck_text(Endings endings, int rank, std::chrono::milliseconds deadline);

}  // namespace terse
