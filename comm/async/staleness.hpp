// The staleness of pushes, counted when the server applies them.
//
//   a worker pulls the model of version v and computes; its push is applied to version t
//   staleness = t - v: the number of updates in between
//
// If every push is applied by itself and its worker pulls immediately, then
//
//   sum of staleness = sum over workers of the version that their last push made - updates
//
// because the terms of a worker telescope: it reads the version that its previous push has made.
// So the mean tends to W - 1 for every law of the workers' durations.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tersegrad/core/archive.hpp"

namespace terse {

class StalenessRecord {
 public:
  void add(std::uint64_t staleness);

  std::uint64_t pushes() const { return pushes_; }
  std::uint64_t sum() const { return sum_; }
  std::uint64_t most() const { return histogram_.empty() ? 0 : histogram_.size() - 1; }
  double mean() const;
  double deviation() const;  // standard deviation
  // histogram()[s] is the number of pushes with staleness s. The last element is not zero.
  std::span<const std::uint64_t> histogram() const { return histogram_; }

  void serialize(Archive& archive, std::string_view name);

 private:
  std::vector<std::uint64_t> histogram_;
  std::uint64_t pushes_ = 0, sum_ = 0;
};

}  // namespace terse
