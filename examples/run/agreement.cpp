#include "examples/run/agreement.hpp"

#include <algorithm>
#include <bit>

namespace terse::run {

void Agreement::sum(std::span<double> values) {
  const std::size_t n = values.size();
  own_.resize(n);
  for (std::size_t i = 0; i < n; ++i) own_[i] = std::bit_cast<std::uint64_t>(values[i]);
  const auto all = gather(own_);
  std::ranges::fill(values, 0.0);
  for (std::size_t i = 0; i < all.size(); ++i) values[i % n] += std::bit_cast<double>(all[i]);
}

std::span<const std::uint64_t> Agreement::gather(std::span<const std::uint64_t> own) {
  all_.resize(own.size() * static_cast<std::size_t>(me_.size()));
  collectives_.agree(own, number_++, all_);
  return all_;
}

}  // namespace terse::run
