#include "tersegrad/comm/transport/thread_state.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace terse {

bool ThreadState::satisfied(int rank) {
  const WaitFor& wait = slot(rank).wait;
  switch (wait.kind) {
    case WaitFor::Kind::nothing:
    case WaitFor::Kind::turn:
      return true;
    case WaitFor::Kind::packet:
      return wait.from == WaitFor::kAnyone
                 ? sender_to(rank) != WaitFor::kAnyone
                 : !mailbox(wait.from, rank).queue.empty() || dead(wait.from);
    case WaitFor::Kind::barrier:
      return generation != wait.generation;
  }
  return true;
}

bool ThreadState::cannot_complete(int rank) {
  const WaitFor& wait = slot(rank).wait;
  if (satisfied(rank)) return false;
  if (wait.kind == WaitFor::Kind::barrier) return left > 0;
  return wait.from == WaitFor::kAnyone ? left == size() - 1 : slot(wait.from).left;
}

bool ThreadState::waits_for_dead(int rank, int other) {
  const WaitFor& wait = slot(rank).wait;
  return dead(other) && wait.kind == WaitFor::Kind::packet && wait.from == other &&
         mailbox(other, rank).queue.empty();
}

int ThreadState::sender_to(int rank) {
  for (int i = 1; i <= size(); ++i) {
    const int from = (slot(rank).served + i) % size();
    if (!mailbox(from, rank).queue.empty()) return from;
  }
  return WaitFor::kAnyone;
}

bool ThreadState::stalled(int rank, StallTimer& timer) {
  activities_.clear();
  for (const auto& each : slots_) {
    Activity activity{.waits = each.waits};
    if (each.left) {
      activity.kind = Activity::Kind::left;
    } else if (each.wait.kind != WaitFor::Kind::nothing) {
      activity.kind = Activity::Kind::waits;
      activity.waits_for =
          each.wait.kind == WaitFor::Kind::packet ? each.wait.from : Activity::kAnyone;
    }
    for (const auto thread : each.threads) activity.processor_time += processor_time(thread);
    activities_.push_back(activity);
  }
  return timer.stalled(rank, activities_);
}

// ---- texts --------------------------------------------------------------------------------------

std::string ThreadState::timeout_text(int rank) const {
  const std::chrono::duration<double> waited = WorkerSlot::Clock::now() - slot(rank).since;
  return fmt::format("timeout: {}, for {:.3g} s; {}", describe(rank), waited.count(),
                     describe_all());
}

std::string ThreadState::describe(int rank) const {
  const WorkerSlot& one = slot(rank);
  if (one.lost) return fmt::format("worker {} has died: {}", rank, one.cause);
  if (one.left) return fmt::format("worker {} has left", rank);
  switch (one.wait.kind) {
    case WaitFor::Kind::nothing:
      return fmt::format("worker {} is at work", rank);
    case WaitFor::Kind::turn:
      return fmt::format("worker {} waits for its first turn", rank);
    case WaitFor::Kind::barrier:
      return fmt::format("worker {} waits at the barrier", rank);
    case WaitFor::Kind::packet:
      break;
  }
  const auto& expected = one.wait.expected;
  const auto from =
      one.wait.from == WaitFor::kAnyone ? "any" : fmt::format("worker {}", one.wait.from);
  return fmt::format("worker {} waits for {} (packet {} of phase {}, step {})", rank, from,
                     to_string(expected.kind), expected.phase, expected.step);
}

std::string ThreadState::describe_all() const {
  constexpr int kMost = 8;
  std::string text;
  for (int rank = 0; rank < std::min(size(), kMost); ++rank) {
    text += (rank > 0 ? ", " : "") + describe(rank);
  }
  if (size() > kMost) text += fmt::format(", and {} more", size() - kMost);
  return text;
}

std::string text_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

}  // namespace terse
