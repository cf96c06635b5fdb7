// Sums and exchanges of numbers over all workers, by control messages, which are counted separately
// from gradients.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/comm/collectives/collectives.hpp"

namespace terse::run {

// All workers must call the same functions in the same order.
class AllWorkers {
 public:
  explicit AllWorkers(Worker& me) : me_(me), collectives_(me) {}

  // Replaces the values by their sums over the workers, added in the order of the workers. Sends
  // them in pieces, because each worker holds a piece of every other one.
  void sum(std::span<double> values) {
    constexpr std::size_t kPiece = 1 << 16;
    for (; values.size() > kPiece; values = values.subspan(kPiece)) sum_piece(values.first(kPiece));
    sum_piece(values);
  }
  double sum(double value) {
    sum(std::span(&value, 1));
    return value;
  }
  double mean(double value) { return sum(value) / me_.size(); }

  // Returns the words of worker 0, of worker 1, and so on; valid until the next call.
  std::span<const std::uint64_t> gather(std::span<const std::uint64_t> own) {
    all_.resize(own.size() * static_cast<std::size_t>(me_.size()));
    collectives_.agree(own, number_++, all_);
    return all_;
  }

 private:
  void sum_piece(std::span<double> values) {
    own_.resize(values.size());
    std::ranges::transform(values, own_.begin(), std::bit_cast<std::uint64_t, double>);
    const auto all = gather(own_);
    std::ranges::fill(values, 0.0);
    for (std::size_t i = 0; i < all.size(); ++i) {
      values[i % values.size()] += std::bit_cast<double>(all[i]);
    }
  }

  Worker& me_;
  Collectives collectives_;
  std::uint64_t number_ = 0;
  std::vector<std::uint64_t> own_, all_;
};

}  // namespace terse::run
