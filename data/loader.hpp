// Batches in the order of training, prepared ahead in the background, and in order for evaluation.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "tersegrad/data/batch.hpp"
#include "tersegrad/data/image_dataset.hpp"
#include "tersegrad/data/partition.hpp"

namespace terse {

struct LoaderOptions {
  std::int64_t prefetch = 4;  // batches made ahead by a thread of its own; 0: none, made in next()
  std::int64_t first_step = 0;  // counted over all epochs: where a resumed run goes on
};

// One worker's batches, epoch after epoch without end. What prefetch is changes no batch.
//
// next() is for one thread at a time. Batches live in a ring of prefetch + 1 buffers, so the steady
// state takes no memory, but for an order of the samples once per epoch.
class Loader {
 public:
  // The data set must outlive the loader.
  Loader(const ImageDataset& images, std::unique_ptr<const Partition> partition,
         const LoaderOptions& options = {});
  Loader(ImageDataset&&, std::unique_ptr<const Partition>, const LoaderOptions& = {}) = delete;
  ~Loader();  // ends the thread, at most one batch later
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // The next batch, valid until the next call. What went wrong while it was made is thrown here,
  // after the batches that were made before.
  const Batch& next();

  // What next() will give, counted over all epochs: the first_step of a run that resumes here.
  std::int64_t step() const { return first_step_ + taken_; }
  std::int64_t steps_per_epoch() const { return partition_->steps_per_epoch(); }

 private:
  void make(std::int64_t index, Batch& batch);  // index counts from first_step_
  void run();                                   // the thread
  Batch& slot(std::int64_t index) {
    return slots_[static_cast<std::size_t>(index) % slots_.size()];
  }

  BatchMaker maker_;
  std::unique_ptr<const Partition> partition_;
  std::int64_t prefetch_;
  std::int64_t first_step_;
  std::int64_t order_epoch_ = -1;  // which epoch order_ holds; like it, of who makes the batches
  std::vector<std::int32_t> order_;

  std::vector<Batch> slots_;  // batch i lies in slot i mod (prefetch + 1)
  std::int64_t taken_ = 0;    // written by next() alone, under the mutex
  std::mutex mutex_;          // guards what follows, and writes to taken_
  std::condition_variable changed_;
  std::int64_t made_ = 0;
  std::exception_ptr failure_;
  bool stop_ = false;
  std::thread thread_;  // last: it uses all of the above
};

// A worker's contiguous share of a data set, in order, for evaluation: samples [w N / W, (w+1) N /
// W). The last batch may be smaller.
class EvaluationLoader {
 public:
  EvaluationLoader(const ImageDataset& images, const WorkerShare& share);
  EvaluationLoader(ImageDataset&&, const WorkerShare&) = delete;

  std::int64_t samples() const { return end_ - begin_; }
  std::int64_t batches() const;
  const Batch* next();  // valid until the next call; null after the last
  void rewind() { place_ = begin_; }

 private:
  BatchMaker maker_;
  std::int64_t batch_size_;
  std::int64_t begin_, end_, place_;
  std::vector<std::int32_t> samples_;
  Batch batch_;
};

}  // namespace terse
