#include "tersegrad/comm/transport/thread_group.hpp"

#include <fmt/core.h>

#include <utility>

#include "tersegrad/core/error.hpp"

namespace terse {

ThreadGroup::ThreadGroup(const WorkerOptions& options)
    : state_(options.workers, options.deadline),
      executor_(options.virtual_time || options.executor == Executor::turns
                    ? make_turns_executor(state_, options)
                    : make_concurrent_executor(state_)),
      shared_memory_(options.workers,
                     [this](std::exception_ptr error) { fail(std::move(error)); }) {}

void ThreadGroup::enter(int rank) {
  add_thread(rank);
  Lock lock(state_.mutex);
  if (executor_->must_wait_to_enter(rank)) wait(lock, rank, {.kind = WaitFor::Kind::turn});
  throw_if_failed(rank);
}

void ThreadGroup::add_thread(int rank) {
  const Lock lock(state_.mutex);
  state_.slot(rank).threads.push_back(clock_of_this_thread());
}

// ---- messages and barrier -----------------------------------------------------------------------

Packet ThreadGroup::lend(int rank, int to) {
  const Lock lock(state_.mutex);
  throw_if_failed(rank);
  auto& spare = state_.mailbox(rank, to).spare;
  if (spare.empty()) return {};
  Packet packet = std::move(spare.back());
  spare.pop_back();
  return packet;
}

void ThreadGroup::post(int rank, int to, Packet packet) {
  const Lock lock(state_.mutex);
  throw_if_failed(rank);
  auto& queue = state_.mailbox(rank, to).queue;
  const WaitFor& wait = state_.slot(to).wait;
  // Whether the receiver waits for exactly this packet: it has no other one to take.
  const bool awaited = wait.kind == WaitFor::Kind::packet &&
                       (wait.from == rank ? queue.empty()
                                          : wait.from == WaitFor::kAnyone &&
                                                state_.sender_to(to) == WaitFor::kAnyone);
  const auto sent = executor_->send(rank, to, packet.size_bytes());
  queue.push({.packet = std::move(packet),
              .first_byte = sent.first_byte,
              .arrival = sent.arrival.value_or(0)});
  if (sent.arrival) ++state_.mailbox(rank, to).arrived;
  if (awaited) executor_->satisfy(to);
}

void ThreadGroup::take(int rank, int from, const Expected& expected, Packet& into) {
  Lock lock(state_.mutex);
  throw_if_failed(rank);
  if (!executor_->may_take(rank, from)) {
    wait(lock, rank, {.kind = WaitFor::Kind::packet, .from = from, .expected = expected});
  }
  executor_->receive(rank, from);
  auto& box = state_.mailbox(from, rank);
  if (box.queue.empty()) throw WorkerLost(from, state_.slot(from).cause);
  box.spare.push_back(std::move(into));
  into = box.queue.pop().packet;
}

int ThreadGroup::take_any(int rank, const Expected& expected, Packet& into) {
  Lock lock(state_.mutex);
  throw_if_failed(rank);
  internal_check(executor_->clock(rank) == nullptr,
                 "recv: expected a named sender, which a modelled network requires");
  if (state_.sender_to(rank) == WaitFor::kAnyone) {
    wait(lock, rank,
         {.kind = WaitFor::Kind::packet, .from = WaitFor::kAnyone, .expected = expected});
  }
  const int from = state_.slot(rank).served = state_.sender_to(rank);
  auto& box = state_.mailbox(from, rank);
  box.spare.push_back(std::move(into));
  into = box.queue.pop().packet;
  return from;
}

void ThreadGroup::barrier(int rank, Clocks clocks) {
  Lock lock(state_.mutex);
  throw_if_failed(rank);
  if (++state_.at_barrier < size()) {
    return wait(lock, rank, {.kind = WaitFor::Kind::barrier, .generation = state_.generation});
  }
  state_.at_barrier = 0;
  ++state_.generation;
  executor_->open_barrier(lock, rank, clocks);
}

void ThreadGroup::serialize(int rank, Archive& archive) {
  const Lock lock(state_.mutex);
  executor_->serialize(rank, archive);
}

void ThreadGroup::wait(Lock& lock, int rank, const WaitFor& wait) {
  auto& own = state_.slot(rank);
  own.wait = wait;
  own.since = WorkerSlot::Clock::now();
  executor_->wait(lock, rank);
  own.wait = {};
  ++own.waits;
  throw_if_failed(rank);
}

// ---- the end ------------------------------------------------------------------------------------

void ThreadGroup::interrupt(int rank) {
  const Lock lock(state_.mutex);
  state_.slot(rank).interrupted = true;
  executor_->wake(rank);
}

void ThreadGroup::fail(std::exception_ptr failure) {
  const Lock lock(state_.mutex);
  executor_->fail(std::move(failure));
}

void ThreadGroup::lose(int rank, std::exception_ptr failure) {
  const Lock lock(state_.mutex);
  state_.slot(rank).lost = true;
  state_.slot(rank).cause = text_of(failure);
  if (!state_.first_loss) state_.first_loss = std::move(failure);
  ++state_.lost;
}

void ThreadGroup::throw_if_failed(int rank) const {
  if (state_.failure) {
    throw Error(fmt::format("worker {} is called off: {}", rank, state_.failure_text));
  }
  check(!state_.slot(rank).interrupted, "worker {} is interrupted", rank);
}

void ThreadGroup::leave(int rank) {
  const Lock lock(state_.mutex);
  state_.slot(rank).left = true;
  ++state_.left;
  if (state_.lost == size()) executor_->fail(state_.first_loss);
  executor_->leave(rank);
  state_.changed.notify_all();
}

void ThreadGroup::wait_for_all(const std::function<void(const std::string&)>& on_stuck) {
  Lock lock(state_.mutex);
  state_.changed.wait(lock, [&] { return state_.left == size() || state_.failure; });
  if (wait_until_all_left(lock)) return;
  const std::chrono::duration<double> deadline = state_.deadline;
  const std::string error =
      fmt::format("{}; and {:.3g} s later not every worker has returned: {}", state_.failure_text,
                  deadline.count(), state_.describe_all());
  lock.unlock();
  on_stuck(error);
  lock.lock();
  state_.changed.wait(lock, [&] { return state_.left == size(); });
}

bool ThreadGroup::wait_until_all_left(Lock& lock) {
  StallTimer timer(state_.deadline);
  const auto all_left = [&] { return state_.left == size(); };
  while (!state_.changed.wait_for(lock, timer.slice(), all_left)) {
    if (state_.stalled(WaitFor::kAnyone, timer)) return false;
  }
  return true;
}

void ThreadGroup::rethrow_failure() const {
  if (state_.failure) std::rethrow_exception(state_.failure);
}

}  // namespace terse
