// Overlap: the gradients of the last layers travel while those of the first are still computed.
//
//   cut the tensors, the last first, into buckets of about so many bytes
//   backward:  when a tensor's gradient is complete: if it was the last of its bucket, and all
//              buckets before have left, this one leaves
//   finish:    those that have not left do; wait until all have been exchanged
//
// All workers exchange the buckets in one order, one at a time: bucket k + 1 never before bucket k,
// whenever its gradients were there, or two workers might wait for each other.
//
// Where all workers run at once, a thread beside the worker's exchanges the buckets. Where they
// take turns, the exchange follows backward; in a modelled network the worker's clock then goes
// back to what could have begun earlier, as if another processor of the machine had done it:
//
//   bucket b begins at       max(its gradients complete, bucket b-1 exchanged)
//   the step's exchange ends max(backward's end, the last bucket exchanged)
//
// A declared time of forward and backward is taken apart so: a third is forward; of backward, each
// bucket takes as much as it has of the coordinates.
//
// Cost: the messages of one exchange a bucket. Hidden is what the exchange, encoding and decoding
// included, took before backward's end: phases add up to the time of a step and what was hidden.
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
    double compute = 0;  // declared seconds of forward and backward: with a virtual clock
  };

  // `exchange` does a bucket, on whichever thread; it must outlive the worker's part in the run.
  using Exchange = std::function<void(const Bucket&)>;
  Overlap(Worker& me, std::span<const GradView> gradients, const Options& options,
          Exchange exchange);
  ~Overlap();  // an exchange that is under way is given up
  Overlap(const Overlap&) = delete;
  Overlap& operator=(const Overlap&) = delete;

  // Both by the worker's own thread, which leaves the Worker alone from the first complete of a
  // step to the end of finish, its time() apart. Both throw what an exchange has thrown.
  void complete(std::size_t tensor);  // its place in the model; once in a step
  void finish();                      // outside of all phases

  std::span<const Bucket> buckets() const { return buckets_; }
  double hidden_seconds() const { return hidden_seconds_; }  // virtual, if there is a clock

 private:
  using Clock = std::chrono::steady_clock;
  struct Span {
    Clock::time_point begin, end;
  };

  void hand_over();
  void exchange_all();  // in virtual time, or in turns
  void wait_for_all();  // for the other thread
  void work();          // of the other thread

  Worker& me_;
  const Options options_;
  const Exchange exchange_;
  const std::vector<Bucket> buckets_;
  std::vector<std::size_t> bucket_of_;    // by tensor
  std::vector<std::size_t> in_buckets_;   // tensors that have values, by bucket
  std::vector<std::size_t> outstanding_;  // of these, those not complete yet
  std::vector<double> ready_;             // virtual time, by bucket
  double coordinates_ = 0;                // of all buckets
  double hidden_seconds_ = 0;

  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::size_t handed_over_ = 0, done_ = 0;  // buckets of this step
  bool stop_ = false;
  std::exception_ptr failure_;
  std::vector<Span> spans_;  // of exchanges
  std::thread thread_;
};

// UsageError, with the reason, for what cannot be cut into buckets.
void check_buckets(const Compressor& compressor, NonFinite policy);

}  // namespace terse
