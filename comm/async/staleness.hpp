// How late pushes are: the staleness of each that a server has applied, counted.
//
//   a worker pulls the model of version v and computes; its push is applied to version t
//   staleness = t - v: how many updates others have made meanwhile
//
// If every push is applied by itself and its worker pulls at once, all of them together have
//
//   sum of staleness = sum over workers of the version that their last push made - updates
//
// (a worker's pushes telescope: each reads the version that the one before it has made), so the
// mean tends to W - 1 whatever the law of the workers' durations.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace terse {

class StalenessRecord {
 public:
  void add(std::uint64_t staleness);

  std::uint64_t pushes() const { return pushes_; }
  std::uint64_t sum() const { return sum_; }
  std::uint64_t most() const { return histogram_.empty() ? 0 : histogram_.size() - 1; }
  double mean() const;
  double deviation() const;  // the standard one
  // How many pushes had staleness 0, 1, …; the last count is not zero.
  std::span<const std::uint64_t> histogram() const { return histogram_; }

 private:
  std::vector<std::uint64_t> histogram_;
  std::uint64_t pushes_ = 0, sum_ = 0;
};

}  // namespace terse
