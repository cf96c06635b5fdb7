// Partitions of a data set: which samples each worker processes, and in what order. W workers, each
// with batch B:
//
//   shared      Every worker has its own random order of all samples, drawn again in each epoch.
//               Two workers may process the same sample in the same step.
//   iid         All workers have one random order per epoch in common. Step t uses its positions
//               [t W B, (t + 1) W B), of which worker w has every W-th, beginning with the w-th.
//               The union over the workers depends only on W B: 4 workers with batch 16 together
//               process the samples of 1 worker with batch 64.
//   by-label:K  Heterogeneous data. The samples are sorted by label and divided into W K shards of
//               equal size (±1). Each worker is assigned K random shards permanently, and shuffles
//               its own samples in each epoch (McMahan et al., "Communication-efficient learning
//               of deep networks from decentralized data", AISTATS 2017).
//   by-class:0-4/5-9
//               Heterogeneous data with disjoint classes. Worker w has samples of group w mod G of
//               the G given groups of classes. The samples of a group are dealt at random, in equal
//               numbers (±1) and permanently, to the workers of the group; each shuffles its own
//               samples in each epoch. A single worker draws each batch from one group, chosen with
//               probability 1/G, as in the experiment with split batches of Safaryan and Richtárik,
//               arXiv 1905.12938. An epoch may then repeat samples and leave others out.
//
// Samples that do not fill a whole step at the end of an epoch are dropped; they differ from epoch
// to epoch. The order is a pure function of the seed, the epoch and, except for `iid`, the worker,
// so a run can resume at any step.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace terse {

// The position of one worker among all workers, and its batch size.
struct WorkerShare {
  std::int64_t worker = 0;
  std::int64_t workers = 1;
  std::int64_t batch = 64;  // samples per worker and step
};

class Partition {
 public:
  virtual ~Partition() = default;
  Partition(const Partition&) = delete;
  Partition& operator=(const Partition&) = delete;

  std::int64_t batch() const { return batch_; }
  std::int64_t steps_per_epoch() const { return steps_per_epoch_; }  // the same on every worker

  // Sets `out` to this worker's samples of an epoch: steps_per_epoch() · batch() indices. Those of
  // step t begin at t · batch(). Takes O(samples of the data set) time, so callers should keep the
  // result. Thread-safe.
  virtual void order(std::int64_t epoch, std::vector<std::int32_t>& out) const = 0;

  // The samples of one step, for inspection. Takes as long as order().
  std::vector<std::int32_t> samples(std::int64_t epoch, std::int64_t step) const;

 protected:
  Partition(std::int64_t batch, std::int64_t steps_per_epoch);

 private:
  std::int64_t batch_;
  std::int64_t steps_per_epoch_;
};

// Makes a partition from a spec string: `shared`, `iid`, `by-label:K` (K shards per worker, default
// 2) or `by-class:A-B/C-D/…` (groups of classes from A to B, from C to D, …; a group may be one
// class). `labels` has one entry per sample and is read only during this call. Throws UsageError
// for an unknown spec, if there are too few samples for one step, or unless the groups contain each
// class exactly once and there are at least as many workers as groups, or one worker.
std::unique_ptr<Partition> make_partition(std::string_view spec,
                                          std::span<const std::int32_t> labels,
                                          const WorkerShare& share, std::uint64_t seed);

}  // namespace terse
