#include "tersegrad/comm/transport/thread_executor.hpp"

#include <utility>

#include "tersegrad/core/error.hpp"

namespace terse {

void ThreadExecutor::fail(std::exception_ptr failure) {
  if (state_.failure) return;
  state_.failure = std::move(failure);
  state_.failure_text = text_of(state_.failure);
  wake_all();
  state_.changed.notify_all();
}

void ThreadExecutor::wake_all() {
  for (int rank = 0; rank < state_.size(); ++rank) wake(rank);
}

void ThreadExecutor::fail_if_wait_cannot_complete(int rank) {
  if (!state_.cannot_complete(rank)) return;
  fail(std::make_exception_ptr(
      Error(fmt::format("deadlock: {}; {}", state_.describe(rank), state_.describe_all()))));
}

void ThreadExecutor::wake_those_who_wait_in_vain() {
  for (int other = 0; other < state_.size(); ++other) {
    if (!state_.slot(other).left && state_.cannot_complete(other)) wake(other);
  }
}

}  // namespace terse
