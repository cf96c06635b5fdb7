// A worker fails: what becomes of the others.
//
//   abort      the first failure ends the run, with its error
//   continue   who fails by itself, outside of an exchange, leaves alone. At the start of the next
//              step the others wait for its word in vain, agree on who is left, take new numbers
//              and go on with the same step; their mean is that of those who are left
//
// Within an exchange a worker's failure ends the run under either policy: some of the others may
// have its packets and some not, so that one would take the step and another could not.
//
// A worker that is evicted (NonFinite::drop_worker) leaves in the same way.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tersegrad/core/error.hpp"

namespace terse {

enum class OnFailure : std::uint8_t { abort, go_on };
std::string_view to_string(OnFailure policy);       // "abort", "continue"
OnFailure parse_on_failure(std::string_view name);  // UsageError lists the known ones

// Thrown by a wait for a worker that has died and left nothing more to take.
class WorkerLost : public Error {
 public:
  WorkerLost(int worker, const std::string& cause)
      : Error(fmt::format("worker {} has died: {}", worker, cause)), cause_(cause) {}
  const std::string& cause() const { return cause_; }  // the error that it died of

 private:
  std::string cause_;
};

// Thrown on a worker that all workers have agreed to evict. It ends this worker alone.
class WorkerDropped : public Error {
 public:
  using Error::Error;
};

// A worker that the others go on without.
struct DroppedWorker {
  int worker = 0;          // the rank it began with
  std::uint64_t step = 0;  // the first that is taken without it
  std::string error;
};

}  // namespace terse
