#include "tersegrad/comm/training/overlap.hpp"

#include <algorithm>
#include <utility>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/thread.hpp"

namespace terse {

Overlap::Overlap(Worker& me, std::span<const GradView> gradients, const Options& options,
                 Exchange exchange)
    : me_(me),
      options_(options),
      exchange_(std::move(exchange)),
      buckets_(cut_from_the_end(gradients, options.bucket_bytes)),
      bucket_of_(gradients.size()),
      in_buckets_(buckets_.size()),
      ready_(buckets_.size()),
      coordinates_(static_cast<double>(std::max<std::int64_t>(1, count(gradients)))),
      spans_(buckets_.size()) {
  for (std::size_t b = 0; b < buckets_.size(); ++b) {
    for (std::size_t k = 0; k < buckets_[b].tensors; ++k) {
      const std::size_t tensor = buckets_[b].tensor + k;
      bucket_of_[tensor] = b;
      if (!gradients[tensor].data.empty()) ++in_buckets_[b];
    }
  }
  outstanding_ = in_buckets_;
  if (!me_.others_may_act()) return;
  thread_ = start_thread("the exchange of buckets", [this] { work(); });
  me_.share_with(thread_.get_id());
}

Overlap::~Overlap() {
  if (!thread_.joinable()) return;
  bool under_way = false;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    under_way = done_ < handed_over_ && !failure_;
  }
  changed_.notify_all();
  if (under_way) me_.interrupt();
  thread_.join();
}

void Overlap::complete(std::size_t tensor) {
  auto& left = outstanding_[bucket_of_[tensor]];
  check(left > 0,
        "buckets: a gradient of tensor {} arrived after its bucket was complete and may have been "
        "sent; to accumulate gradients, call Tensor::backward first and the optimizer's backward "
        "last",
        tensor);
  --left;
  while (handed_over_ < buckets_.size() && outstanding_[handed_over_] == 0) hand_over();
}

void Overlap::hand_over() {
  if (auto* clock = me_.virtual_clock()) {
    const auto share = static_cast<double>(buckets_[handed_over_].count) / coordinates_;
    const auto forward = handed_over_ == 0 ? options_.compute / 3 : 0;
    const PauseLocalWork pause(clock);  // first adds the work measured so far to the clock
    clock->spend(forward + options_.compute * 2 / 3 * share);
    ready_[handed_over_] = clock->now();
  }
  {
    const std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
    ++handed_over_;
  }
  changed_.notify_all();
}

void Overlap::finish() {
  {
    const auto timed = me_.time(Part::compute);
    while (handed_over_ < buckets_.size()) hand_over();
  }
  thread_.joinable() ? wait_for_all() : exchange_all();
  outstanding_ = in_buckets_;
}

void Overlap::exchange_all() {
  auto* clock = me_.virtual_clock();
  const double backward_end = clock ? clock->now() : 0;
  double free = 0;  // the time at which the previous bucket has been exchanged
  for (std::size_t b = 0; b < buckets_.size(); ++b) {
    const double begin = std::max(ready_[b], free);
    if (clock) clock->set(begin);
    exchange_(buckets_[b]);
    if (!clock) continue;
    free = clock->now();
    hidden_seconds_ += std::max(0.0, std::min(free, backward_end) - begin);
  }
  if (clock) clock->set(std::max(backward_end, free));
  handed_over_ = 0;
}

// This wait needs no deadline, because every wait of the exchange has one.
void Overlap::wait_for_all() {
  const auto backward_end = Clock::now();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failure_ || done_ == buckets_.size(); });
  if (failure_) std::rethrow_exception(failure_);
  for (const auto& [begin, end] : spans_) {
    const std::chrono::duration<double> hidden = std::min(end, backward_end) - begin;
    hidden_seconds_ += std::max(0.0, hidden.count());
  }
  handed_over_ = done_ = 0;
}

void Overlap::work() {
  me_.add_thread();
  Arena arena;
  arena.run([this] {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return stop_ || (done_ < handed_over_ && !failure_); });
      if (stop_) return;
      const Bucket& bucket = buckets_[done_];
      lock.unlock();
      std::exception_ptr failure;
      const auto begin = Clock::now();
      try {
        exchange_(bucket);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      failure_ = failure;
      spans_[done_++] = {begin, Clock::now()};
      changed_.notify_all();
    }
  });
}

void check_buckets(const Compressor& compressor, NonFinite policy) {
  check<UsageError>(!compressor.traits(0).whole_model,
                    "buckets with {}: it needs all gradients before it can encode any; take "
                    "scope=tensor and no clipping by the global norm, or leave the buckets out",
                    compressor.spec());
  check<UsageError>(
      policy != NonFinite::skip_step,
      "buckets with the non-finite policy skip_step: the first buckets are sent before the last "
      "gradient is known; take abort or zero, or leave the buckets out");
}

}  // namespace terse
