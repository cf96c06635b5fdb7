// Overlap of communication with backward: the gradients of the last layers are exchanged while
// those of the first layers are still computed.
//
//   cut the tensors, from the last to the first, into buckets of about `bucket_bytes` bytes
//   backward:  when a tensor's gradient is complete: if it was the last of its bucket, and all
//              earlier buckets have been handed over, hand over this one to the exchange
//   finish:    hand over the remaining buckets; wait until all have been exchanged
//
// All workers exchange the buckets in the same order, one at a time: bucket k + 1 never before
// bucket k, whenever its gradients were complete. Otherwise two workers could wait for each other.
//
// If all workers run at once, a second thread of the worker exchanges the buckets. If the workers
// take turns, the exchange follows backward. In a modelled network the worker's clock is then set
// back to the time at which the exchange could have begun, as if a second processor did it:
//
//   begin of bucket b          max(its gradients complete, bucket b-1 exchanged)
//   end of the step's exchange max(end of backward, the last bucket exchanged)
//
// A declared time of forward and backward is divided as follows: one third is forward; the rest is
// divided among the buckets in proportion to their coordinates.
//
// Cost: the messages of one exchange per bucket. The hidden time is the time of the exchange, with
// encoding and decoding, before the end of backward: the parts add up to the time of the step plus
// the hidden time.
// Source: Li et al., arXiv 2006.15704 (PyTorch's DistributedDataParallel), section 3.2.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "tersegrad/comm/setup/non_finite.hpp"
#include "tersegrad/comm/topology/bucket.hpp"
#include "tersegrad/comm/transport/worker.hpp"

namespace terse {

class Overlap {
 public:
  struct Options {
    double bucket_bytes = 0;
    double compute = 0;  // declared seconds of forward and backward; used with a virtual clock
  };

  // `exchange` exchanges one bucket. It may be called from the second thread, and what it refers to
  // must outlive this object.
  using Exchange = std::function<void(const Bucket&)>;
  Overlap(Worker& me, std::span<const GradView> gradients, const Options& options,
          Exchange exchange);
  ~Overlap();  // interrupts an exchange that is under way
  Overlap(const Overlap&) = delete;
  Overlap& operator=(const Overlap&) = delete;

  // Both are called by the worker's own thread. From the first `complete` of a step to the end of
  // `finish` this thread must not use the Worker, except its time(). Both rethrow the exception of
  // an exchange that has failed.
  //
  // Reports that the gradient of a tensor, given by its index in the model, is complete. Called
  // once per tensor and step; throws Error if its bucket may already have been sent.
  void complete(std::size_t tensor);
  // Hands over the remaining buckets and waits for all exchanges. Called outside of all timed
  // parts.
  void finish();

  std::span<const Bucket> buckets() const { return buckets_; }
  double hidden_seconds() const { return hidden_seconds_; }  // virtual seconds if there is a clock

 private:
  using Clock = std::chrono::steady_clock;
  struct Span {
    Clock::time_point begin, end;
  };

  void hand_over();
  void exchange_all();  // without a second thread: in virtual time, or if workers take turns
  void wait_for_all();  // waits for the second thread
  void work();          // the body of the second thread

  Worker& me_;
  const Options options_;
  const Exchange exchange_;
  const std::vector<Bucket> buckets_;
  std::vector<std::size_t> bucket_of_;    // by tensor
  std::vector<std::size_t> in_buckets_;   // by bucket: the number of non-empty tensors
  std::vector<std::size_t> outstanding_;  // by bucket: those that are not complete yet
  std::vector<double> ready_;             // by bucket: the virtual time when it is complete
  double coordinates_ = 0;                // of all buckets, at least 1
  double hidden_seconds_ = 0;

  std::mutex mutex_;  // guards all members below
  std::condition_variable changed_;
  std::size_t handed_over_ = 0, done_ = 0;  // buckets of this step
  bool stop_ = false;
  std::exception_ptr failure_;
  std::vector<Span> spans_;  // by bucket: begin and end of its exchange
  std::thread thread_;
};

// Throws UsageError, with the reason, if the compressor or the policy does not work with buckets.
void check_buckets(const Compressor& compressor, NonFinite policy);

}  // namespace terse
