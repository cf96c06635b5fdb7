#include "tersegrad/comm/transport/thread_group.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

// One look a spin, then one look a yield, before a wait becomes a sleep.
constexpr int kSpins = 32;
constexpr int kYields = 8;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

double seconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double>(time).count();
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

}  // namespace

void MessageQueue::push(Message message) {
  if (count_ == slots_.size()) {
    std::rotate(slots_.begin(), slots_.begin() + static_cast<std::ptrdiff_t>(head_), slots_.end());
    head_ = 0;
    slots_.resize(std::max<std::size_t>(4, 2 * slots_.size()));
  }
  slots_[(head_ + count_++) % slots_.size()] = std::move(message);
}

Message MessageQueue::pop() {
  Message message = std::move(slots_[head_]);
  head_ = (head_ + 1) % slots_.size();
  --count_;
  return message;
}

ThreadGroup::ThreadGroup(const WorkerOptions& options)
    : executor_(options.virtual_time ? Executor::turns : options.executor),
      deadline_(options.deadline),
      shared_memory_(options.workers,
                     [this](std::exception_ptr error) { fail(std::move(error)); }) {
  const auto workers = static_cast<std::size_t>(options.workers);
  const auto& model = options.virtual_time;
  if (model) cards_.emplace(model->network, options.workers, model->seed);
  for (int rank = 0; rank < options.workers; ++rank) {
    seats_.emplace_back(VirtualClock(model ? model->local_work : LocalWork::declared,
                                     cards_ ? cards_->slowness(rank) : 1));
    if (rank != turn_) make_runnable(rank);
  }
  mailboxes_.resize(workers * workers);
}

// ---- messages and barrier -----------------------------------------------------------------------

void ThreadGroup::enter(int rank) {
  add_thread(rank);
  Lock lock(mutex_);
  if (executor_ == Executor::turns && turn_ != rank) wait(lock, rank, {.kind = Want::Kind::turn});
  throw_if_failed(rank);
}

void ThreadGroup::add_thread(int rank) {
  const Lock lock(mutex_);
  seat(rank).threads.push_back(clock_of_this_thread());
}

Packet ThreadGroup::lend(int rank, int to) {
  const Lock lock(mutex_);
  throw_if_failed(rank);
  auto& spare = mailbox(rank, to).spare;
  if (spare.empty()) return {};
  Packet packet = std::move(spare.back());
  spare.pop_back();
  return packet;
}

void ThreadGroup::post(int rank, int to, Packet packet) {
  const Lock lock(mutex_);
  throw_if_failed(rank);
  auto& queue = mailbox(rank, to).queue;
  const Want& want = seat(to).want;
  const bool awaited =
      want.kind == Want::Kind::packet &&
      (want.from == rank ? queue.empty() : want.from == kAnyone && sender_to(to) == kAnyone);
  const double first_byte =
      cards_ ? cards_->send(rank, to, packet.size_bytes(), seat(rank).clock.now()) : 0;
  queue.push({.packet = std::move(packet), .first_byte = first_byte});
  if (!awaited) return;
  if (executor_ == Executor::turns) {
    make_runnable(to);  // it wakes when its turn comes
  } else {
    wake(seat(to));
  }
}

void ThreadGroup::take(int rank, int from, const Expected& expected, Packet& into) {
  Lock lock(mutex_);
  throw_if_failed(rank);
  auto& box = mailbox(from, rank);
  if (!may_take(rank, from)) {
    wait(lock, rank, {.kind = Want::Kind::packet, .from = from, .expected = expected});
  }
  if (box.queue.empty()) {
    seat(rank).clock.set(earliest(rank, {.kind = Want::Kind::packet, .from = from}));
    throw WorkerLost(from, seat(from).cause);
  }
  if (cards_) receive_until(rank, box);
  box.spare.push_back(std::move(into));
  into = box.queue.pop().packet;
}

int ThreadGroup::take_any(int rank, const Expected& expected, Packet& into) {
  Lock lock(mutex_);
  throw_if_failed(rank);
  internal_check(!cards_, "recv: in a modelled network a worker says from whom");
  if (sender_to(rank) == kAnyone) {
    wait(lock, rank, {.kind = Want::Kind::packet, .from = kAnyone, .expected = expected});
  }
  const int from = seat(rank).served = sender_to(rank);
  auto& box = mailbox(from, rank);
  box.spare.push_back(std::move(into));
  into = box.queue.pop().packet;
  return from;
}

void ThreadGroup::barrier(int rank) {
  Lock lock(mutex_);
  throw_if_failed(rank);
  if (++arrived_ < size()) {
    wait(lock, rank, {.kind = Want::Kind::barrier, .generation = generation_});
    return;
  }
  arrived_ = 0;
  ++generation_;
  if (executor_ == Executor::concurrent) {
    lock.unlock();  // those who wake need not wait for it
    wake_all();
    return;
  }
  double latest = 0;
  for (const auto& each : seats_) latest = std::max(latest, each.clock.now());
  for (int other = 0; other < size(); ++other) {
    seat(other).clock.set(latest);
    if (other != rank) make_runnable(other);
  }
}

// ---- waiting ------------------------------------------------------------------------------------

void ThreadGroup::wait(Lock& lock, int rank, const Want& want) {
  Seat& own = seat(rank);
  own.want = want;
  own.since = Clock::now();
  if (executor_ == Executor::concurrent) {
    wait_until_satisfied(lock, rank);
  } else {
    wait_for_turn(lock, rank);
  }
  own.want = {};
  ++own.waits;
  throw_if_failed(rank);
}

void ThreadGroup::wait_until_satisfied(Lock& lock, int rank) {
  Seat& own = seat(rank);
  spin(lock, own);
  StallTimer timer(deadline_, own.since);
  while (!failure_ && !own.interrupted && !satisfied(rank)) {
    fail_if_hopeless(rank);
    if (failure_ || own.wake.wait_for(lock, timer.slice()) == std::cv_status::no_timeout) continue;
    if (satisfied(rank) || !stalled(rank, timer)) continue;
    fail_locked(std::make_exception_ptr(Error(timeout_text(rank))));
  }
}

bool ThreadGroup::stalled(int rank, StallTimer& timer) {
  activities_.clear();
  for (const auto& each : seats_) {
    Activity activity{.waits = each.waits};
    if (each.left) {
      activity.kind = Activity::Kind::left;
    } else if (each.want.kind != Want::Kind::nothing) {
      activity.kind = Activity::Kind::waits;
      activity.waits_for =
          each.want.kind == Want::Kind::packet ? each.want.from : Activity::kAnyone;
    }
    for (const auto thread : each.threads) activity.processor_time += processor_time(thread);
    activities_.push_back(activity);
  }
  return timer.stalled(rank, activities_);
}

// In turns a wait has no deadline: it lasts as long as the others compute, and if nobody can run
// pass_turn finds the deadlock.
void ThreadGroup::wait_for_turn(Lock& lock, int rank) {
  Seat* next = nullptr;
  if (turn_ == rank) {
    if (satisfied(rank)) make_runnable(rank);  // another is earlier
    next = pass_turn();
  }
  while (!failure_ && turn_ != rank) {
    fail_if_hopeless(rank);
    lock.unlock();
    if (next) next->turn.release();
    next = nullptr;
    seat(rank).turn.acquire();
    lock.lock();
  }
}

void ThreadGroup::spin(Lock& lock, Seat& own) {
  const auto seen = own.signal.load(std::memory_order_relaxed);
  const auto quiet = [&] { return own.signal.load(std::memory_order_relaxed) == seen; };
  lock.unlock();
  for (int i = 0; i < kSpins && quiet(); ++i) pause();
  for (int i = 0; i < kYields && quiet(); ++i) std::this_thread::yield();
  lock.lock();
}

bool ThreadGroup::satisfied(int rank) {
  const Want& want = seat(rank).want;
  switch (want.kind) {
    case Want::Kind::nothing:
    case Want::Kind::turn:
      return true;
    case Want::Kind::packet:
      return want.from == kAnyone ? sender_to(rank) != kAnyone
                                  : !mailbox(want.from, rank).queue.empty() || dead(want.from);
    case Want::Kind::barrier:
      return generation_ != want.generation;
  }
  return true;
}

int ThreadGroup::sender_to(int rank) {
  for (int i = 1; i <= size(); ++i) {
    const int from = (seat(rank).served + i) % size();
    if (!mailbox(from, rank).queue.empty()) return from;
  }
  return kAnyone;
}

// Whom it waits for has left: nothing will come any more.
bool ThreadGroup::hopeless(int rank) {
  const Want& want = seat(rank).want;
  if (satisfied(rank)) return false;
  if (want.kind == Want::Kind::barrier) return left_ > 0;
  return want.from == kAnyone ? left_ == size() - 1 : seat(want.from).left;
}

void ThreadGroup::fail_if_hopeless(int rank) {
  if (!hopeless(rank)) return;
  fail_locked(std::make_exception_ptr(
      Error(fmt::format("deadlock: {}; {}", describe(rank), describe_all()))));
}

// The virtual time at which a worker that is satisfied could go on, or a bound that suffices: its
// card may still have to receive other messages first.
double ThreadGroup::earliest(int rank, const Want& want) {
  const double now = seat(rank).clock.now();
  if (!cards_ || want.kind != Want::Kind::packet) return now;
  auto& box = mailbox(want.from, rank);
  if (box.queue.empty()) return std::max(now, seat(want.from).clock.now());  // it has died then
  const Message& message = box.queue.at(0);
  return std::max(now, box.arrived > 0 ? message.arrival : message.first_byte);
}

bool ThreadGroup::may_take(int rank, int from) {
  if (mailbox(from, rank).queue.empty()) return false;
  if (!cards_ || runnable_.empty()) return true;
  const double time = earliest(rank, {.kind = Want::Kind::packet, .from = from});
  return time < runnable_.top().first + cards_->least_latency();
}

// The card receives up to the head of this mailbox, and the worker's time moves there.
void ThreadGroup::receive_until(int rank, Mailbox& box) {
  while (box.arrived == 0) {
    const auto [from, time] = cards_->receive(rank);
    auto& other = mailbox(from, rank);
    other.queue.at(other.arrived++).arrival = time;
  }
  --box.arrived;
  auto& clock = seat(rank).clock;
  clock.set(std::max(clock.now(), box.queue.at(0).arrival));
}

void ThreadGroup::make_runnable(int rank) {
  runnable_.emplace(earliest(rank, seat(rank).want), rank);
}

// The worker that has the turn waits or leaves: the turn goes to the earliest (clock, rank), whom
// the caller wakes.
ThreadGroup::Seat* ThreadGroup::pass_turn() {
  turn_ = -1;
  if (!runnable_.empty()) {
    turn_ = runnable_.top().second;
    runnable_.pop();
    return &seat(turn_);
  }
  if (left_ < size()) {
    fail_locked(std::make_exception_ptr(
        Error(fmt::format("deadlock: no worker can run; {}", describe_all()))));
  }
  return nullptr;
}

void ThreadGroup::wake(Seat& other) {
  if (executor_ == Executor::turns) {
    other.turn.release();
    return;
  }
  other.signal.fetch_add(1, std::memory_order_relaxed);
  other.wake.notify_one();
}

void ThreadGroup::wake_all() {
  for (auto& each : seats_) wake(each);
}

// ---- the end ------------------------------------------------------------------------------------

void ThreadGroup::interrupt(int rank) {
  const Lock lock(mutex_);
  seat(rank).interrupted = true;
  wake(seat(rank));
}

void ThreadGroup::fail(std::exception_ptr failure) {
  const Lock lock(mutex_);
  fail_locked(std::move(failure));
}

void ThreadGroup::lose(int rank, std::exception_ptr failure) {
  const Lock lock(mutex_);
  seat(rank).lost = true;
  seat(rank).cause = text_of(failure);
  if (!first_loss_) first_loss_ = std::move(failure);
  ++lost_;
}

void ThreadGroup::fail_locked(std::exception_ptr failure) {
  if (failure_) return;
  failure_ = std::move(failure);
  failure_text_ = text_of(failure_);
  wake_all();
  changed_.notify_all();
}

void ThreadGroup::throw_if_failed(int rank) const {
  if (failure_) throw Error(fmt::format("worker {} is called off: {}", rank, failure_text_));
  check(!seat(rank).interrupted, "worker {} is interrupted", rank);
}

void ThreadGroup::leave(int rank) {
  const Lock lock(mutex_);
  seat(rank).left = true;
  ++left_;
  if (lost_ == size()) fail_locked(first_loss_);
  const auto finds_it_dead = [&](int other) {
    const Want& want = seat(other).want;
    return dead(rank) && want.kind == Want::Kind::packet && want.from == rank &&
           mailbox(rank, other).queue.empty();
  };
  const bool turns = executor_ == Executor::turns && !failure_;
  for (int other = 0; other < size() && turns; ++other) {
    if (finds_it_dead(other)) make_runnable(other);
  }
  if (turns && turn_ == rank) {
    if (Seat* next = pass_turn()) wake(*next);
  }
  for (int other = 0; other < size(); ++other) {
    if (seat(other).left) continue;
    if (hopeless(other) || (!turns && finds_it_dead(other))) wake(seat(other));
  }
  changed_.notify_all();
}

void ThreadGroup::wait_for_all(const std::function<void(const std::string&)>& on_stuck) {
  Lock lock(mutex_);
  changed_.wait(lock, [&] { return left_ == size() || failure_; });
  if (wait_until_all_left(lock)) return;
  const std::string error = fmt::format("{}; and {:.3g} s later not every worker has come back: {}",
                                        failure_text_, seconds(deadline_), describe_all());
  lock.unlock();
  on_stuck(error);
  lock.lock();
  changed_.wait(lock, [&] { return left_ == size(); });
}

// False: after a failure, those that have not left make no progress for a deadline.
bool ThreadGroup::wait_until_all_left(Lock& lock) {
  StallTimer timer(deadline_);
  const auto all_left = [&] { return left_ == size(); };
  while (!changed_.wait_for(lock, timer.slice(), all_left)) {
    if (stalled(kAnyone, timer)) return false;
  }
  return true;
}

void ThreadGroup::rethrow_failure() const {
  if (failure_) std::rethrow_exception(failure_);
}

// ---- texts --------------------------------------------------------------------------------------

std::string ThreadGroup::timeout_text(int rank) const {
  return fmt::format("timeout: {}, for {:.3g} s; {}", describe(rank),
                     seconds(Clock::now() - seat(rank).since), describe_all());
}

std::string ThreadGroup::describe(int rank) const {
  const Seat& one = seat(rank);
  if (one.lost) return fmt::format("worker {} has died: {}", rank, one.cause);
  if (one.left) return fmt::format("worker {} has left", rank);
  switch (one.want.kind) {
    case Want::Kind::nothing:
      return fmt::format("worker {} is at work", rank);
    case Want::Kind::turn:
      return fmt::format("worker {} waits for its first turn", rank);
    case Want::Kind::barrier:
      return fmt::format("worker {} waits at the barrier", rank);
    case Want::Kind::packet:
      break;
  }
  const auto& expected = one.want.expected;
  const auto whom = one.want.from == kAnyone ? "any" : fmt::format("worker {}", one.want.from);
  return fmt::format("worker {} waits for {} (packet {} of phase {}, step {})", rank, whom,
                     to_string(expected.kind), expected.phase, expected.step);
}

std::string ThreadGroup::describe_all() const {
  constexpr int kMost = 8;
  std::string text;
  for (int rank = 0; rank < std::min(size(), kMost); ++rank) {
    text += (rank > 0 ? ", " : "") + describe(rank);
  }
  if (size() > kMost) text += fmt::format(", and {} more", size() - kMost);
  return text;
}

}  // namespace terse
