// The mean of all workers' models, for an evaluation that leaves the models as they are.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "examples/run/all_workers.hpp"
#include "tersegrad/core/parameters.hpp"

namespace terse::run {

// While it lives, the given tensors have their means over all workers: running statistics, which
// differ because each worker sees other samples, and in local SGD the parameters. The destructor
// gives them their own values again.
class AveragedModel {
 public:
  // All workers must make one together.
  AveragedModel(AllWorkers& workers, int size, std::vector<std::span<float>> tensors)
      : tensors_(std::move(tensors)) {
    for (const auto& tensor : tensors_) own_.insert(own_.end(), tensor.begin(), tensor.end());
    std::vector<double> mean(own_.begin(), own_.end());
    if (mean.empty()) return;
    workers.sum(mean);
    auto next = mean.begin();
    for (const auto& tensor : tensors_) {
      for (auto& value : tensor) value = static_cast<float>(*next++ / size);
    }
  }
  ~AveragedModel() {
    auto next = own_.begin();
    for (const auto& tensor : tensors_) {
      std::copy_n(next, tensor.size(), tensor.begin());
      next += std::ssize(tensor);
    }
  }
  AveragedModel(const AveragedModel&) = delete;
  AveragedModel& operator=(const AveragedModel&) = delete;

 private:
  std::vector<std::span<float>> tensors_;
  std::vector<float> own_;
};

}  // namespace terse::run
