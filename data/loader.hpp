// Loaders of image batches: in shuffled order for training, prefetched by a background thread; in
// order for evaluation.
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
  std::int64_t prefetch = 4;  // batches prepared ahead by a thread; 0: next() makes them, no thread
  std::int64_t first_step = 0;  // counted over all epochs; the step at which a run resumes
};

// An endless sequence of one worker's batches, epoch after epoch. The batches do not depend on
// `prefetch`.
//
// next() may be called by one thread at a time. Batches are stored in a ring of prefetch + 1
// buffers, so in the steady state only the order of the samples is computed anew, once per epoch.
class Loader {
 public:
  // The data set must outlive the loader.
  Loader(const ImageDataset& images, std::unique_ptr<const Partition> partition,
         const LoaderOptions& options = {});
  Loader(ImageDataset&&, std::unique_ptr<const Partition>, const LoaderOptions& = {}) = delete;
  ~Loader();  // joins the thread, which finishes at most the batch that it is making
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // The next batch, valid until the next call. Waits for the background thread if the batch is not
  // ready. Rethrows an exception of the background thread after the batches that precede it.
  const Batch& next();

  // The step of the batch that next() will return, counted over all epochs. A run that resumes here
  // passes it as first_step.
  std::int64_t step() const { return first_step_ + taken_; }
  std::int64_t steps_per_epoch() const { return partition_->steps_per_epoch(); }

 private:
  void make(std::int64_t index, Batch& batch);  // index counts from first_step_
  void run();                                   // body of the background thread
  Batch& slot(std::int64_t index) {
    return slots_[static_cast<std::size_t>(index) % slots_.size()];
  }

  BatchMaker maker_;
  std::unique_ptr<const Partition> partition_;
  std::int64_t prefetch_;
  std::int64_t first_step_;
  std::int64_t order_epoch_ = -1;  // epoch of order_; both are used only by the thread in make()
  std::vector<std::int32_t> order_;

  std::vector<Batch> slots_;  // batch i is in slot i mod (prefetch + 1)
  std::int64_t taken_ = 0;    // written only by next(), under the mutex
  std::mutex mutex_;          // guards made_, failure_, stop_ and writes to taken_
  std::condition_variable changed_;
  std::int64_t made_ = 0;
  std::exception_ptr failure_;
  bool stop_ = false;
  std::thread thread_;  // declared last, because it uses all members above
};

// One worker's contiguous share of a data set, in order, for evaluation: worker w of W has the
// samples [w N / W, (w + 1) N / W). The last batch may be smaller. The data set must outlive the
// loader.
class EvaluationLoader {
 public:
  EvaluationLoader(const ImageDataset& images, const WorkerShare& share);
  EvaluationLoader(ImageDataset&&, const WorkerShare&) = delete;

  std::int64_t samples() const { return end_ - begin_; }
  std::int64_t batches() const;
  const Batch* next();  // valid until the next call; null after the last batch
  void rewind() { place_ = begin_; }

 private:
  BatchMaker maker_;
  std::int64_t batch_size_;
  std::int64_t begin_, end_, place_;
  std::vector<std::int32_t> samples_;
  Batch batch_;
};

}  // namespace terse
