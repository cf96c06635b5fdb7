// Which samples each worker sees, and in what order.
//
//   shared      every worker draws its own order of all samples, anew in each epoch; so two workers
//               may see the same sample in the same step
//   iid         one order of all samples per epoch, the same on every worker; step t takes its
//               positions [t W B, (t+1) W B), of which worker w has every W-th. The union over the
//               workers depends on W B alone: 4 workers of batch 16 see together what 1 worker of
//               batch 64 sees
//   by-label:K  heterogeneous: the samples, sorted by label, are cut into W K shards of equal size
//               (±1), and each worker is dealt K of them for good; it shuffles its own anew in each
//               epoch (McMahan et al., "Communication-efficient learning of deep networks from
//               decentralized data", AISTATS 2017)
//
// An epoch ends with the last whole step; what is left over is dropped, differently in each epoch.
// The order is a pure function of (seed, epoch), so a run can resume anywhere.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace terse {

// One worker's part in every step.
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

  // Replaces `out` by this worker's samples of an epoch: steps_per_epoch() times batch() indices,
  // those of step t from t B on. Thread-safe; costs O(data set), so keep the result.
  virtual void order(std::int64_t epoch, std::vector<std::int32_t>& out) const = 0;

  // The samples of one step, for looking at.
  std::vector<std::int32_t> samples(std::int64_t epoch, std::int64_t step) const;

 protected:
  Partition(std::int64_t batch, std::int64_t steps_per_epoch);

 private:
  std::int64_t batch_;
  std::int64_t steps_per_epoch_;
};

// From a spec string: `shared`, `iid`, `by-label:K` (K shards per worker, default 2). `labels` has
// one entry per sample and is read only here. Too few samples for one step is a UsageError.
std::unique_ptr<Partition> make_partition(std::string_view spec,
                                          std::span<const std::int32_t> labels,
                                          const WorkerShare& share, std::uint64_t seed);

}  // namespace terse
