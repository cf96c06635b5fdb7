// Numbers that all workers add up, or tell each other, by control messages: they are counted apart
// from the gradients.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/comm/collectives/collectives.hpp"

namespace terse::run {

// All workers must call the same functions in the same order.
class Agreement {
 public:
  explicit Agreement(Worker& me) : me_(me), collectives_(me) {}

  // values = their sums over the workers, added in the order of the workers.
  void sum(std::span<double> values);
  double sum(double value) {
    sum(std::span(&value, 1));
    return value;
  }
  double mean(double value) { return sum(value) / me_.size(); }

  // The words of all workers, one worker's behind the other's, until the next call.
  std::span<const std::uint64_t> gather(std::span<const std::uint64_t> own);

 private:
  Worker& me_;
  Collectives collectives_;
  std::uint64_t number_ = 0;
  std::vector<std::uint64_t> own_, all_;
};

}  // namespace terse::run
