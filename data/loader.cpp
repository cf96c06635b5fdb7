#include "tersegrad/data/loader.hpp"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/thread.hpp"

namespace terse {

Loader::Loader(const ImageDataset& images, std::unique_ptr<const Partition> partition,
               const LoaderOptions& options)
    : maker_(images),
      partition_(std::move(partition)),
      prefetch_(options.prefetch),
      first_step_(options.first_step) {
  check(partition_ != nullptr, "loader: expected a partition; got none");
  check(prefetch_ >= 0 && prefetch_ <= 1024, "loader: prefetch must be from 0 to 1024; got {}",
        prefetch_);
  check(first_step_ >= 0, "loader: first_step must be at least 0; got {}", first_step_);
  slots_.resize(static_cast<std::size_t>(prefetch_) + 1);
  if (prefetch_ > 0) thread_ = start_thread("the next batches", [this] { run(); });
}

Loader::~Loader() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Loader::make(std::int64_t index, Batch& batch) {
  const std::int64_t step = first_step_ + index;
  const std::int64_t epoch = step / steps_per_epoch();
  if (epoch != order_epoch_) {
    order_epoch_ = -1;  // stays invalid if order() throws
    partition_->order(epoch, order_);
    order_epoch_ = epoch;
  }
  batch.epoch = epoch;
  batch.step = step % steps_per_epoch();
  const auto size = static_cast<std::size_t>(partition_->batch());
  maker_.make(std::span(order_).subspan(static_cast<std::size_t>(batch.step) * size, size), epoch,
              batch);
}

const Batch& Loader::next() {
  if (prefetch_ == 0) {
    make(taken_, slot(taken_));
    return slot(taken_++);
  }
  std::int64_t index = 0;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return made_ > taken_ || failure_ != nullptr; });
    if (made_ == taken_) std::rethrow_exception(failure_);
    index = taken_++;
  }
  changed_.notify_all();
  return slot(index);
}

void Loader::run() {
  for (std::int64_t index = 0;; ++index) {
    {
      std::unique_lock lock(mutex_);
      // The consumer may still read batch taken_ - 1, which shares its slot with batch
      // taken_ + prefetch.
      changed_.wait(lock, [&] { return stop_ || index < taken_ + prefetch_; });
      if (stop_) return;
    }
    std::exception_ptr failure;
    try {
      make(index, slot(index));
    } catch (...) {
      failure = std::current_exception();
    }
    {
      const std::lock_guard lock(mutex_);
      if (failure) {
        failure_ = failure;
      } else {
        made_ = index + 1;
      }
    }
    changed_.notify_all();
    if (failure) return;
  }
}

EvaluationLoader::EvaluationLoader(const ImageDataset& images, const WorkerShare& share)
    : maker_(images), batch_size_(share.batch) {
  check(share.batch >= 1 && share.workers >= 1 && share.worker >= 0 && share.worker < share.workers,
        "evaluation: batch and workers must be positive, and worker below workers; got batch {}, "
        "worker {} of {}",
        share.batch, share.worker, share.workers);
  begin_ = share.worker * images.size() / share.workers;
  end_ = (share.worker + 1) * images.size() / share.workers;
  place_ = begin_;
}

std::int64_t EvaluationLoader::batches() const {
  return (samples() + batch_size_ - 1) / batch_size_;
}

const Batch* EvaluationLoader::next() {
  if (place_ == end_) return nullptr;
  const std::int64_t size = std::min(batch_size_, end_ - place_);
  samples_.resize(static_cast<std::size_t>(size));
  std::iota(samples_.begin(), samples_.end(), static_cast<std::int32_t>(place_));
  batch_.step = (place_ - begin_) / batch_size_;
  maker_.make(samples_, batch_);
  place_ += size;
  return &batch_;
}

}  // namespace terse
