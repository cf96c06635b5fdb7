// The policies for a worker that fails.
//
//   abort      the first failure ends the run, with its error
//   continue   a worker that fails outside of an exchange is removed, and the others continue. At
//              the start of the next step they find that it does not answer, agree on the remaining
//              workers, take new ranks, and take the same step with the mean of those workers
//
// A failure within an exchange ends the run under both policies: some of the other workers may have
// received packets that others have not, so they could not all take the step.
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

// Thrown by a wait for a worker that has failed, once all its packets have been received.
class WorkerLost : public Error {
 public:
  WorkerLost(int worker, const std::string& cause)
      : Error(fmt::format("worker {} has died: {}", worker, cause)), cause_(cause) {}
  const std::string& cause() const { return cause_; }  // the text of its error

 private:
  std::string cause_;
};

// Thrown on a worker that all workers have agreed to evict. It ends this worker alone.
class WorkerDropped : public Error {
 public:
  using Error::Error;
};

// A worker that was removed from the run.
struct DroppedWorker {
  int worker = 0;          // its rank at the start of the run
  std::uint64_t step = 0;  // the first step without it
  std::string error;
};

}  // namespace terse
