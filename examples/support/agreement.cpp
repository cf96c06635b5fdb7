#include "examples/support/agreement.hpp"

#include <algorithm>
#include <bit>

namespace terse::run {

void Agreement::sum(std::span<double> values) {
  const std::size_t n = values.size();
  own_.resize(n);
  all_.resize(n * static_cast<std::size_t>(me_.size()));
  for (std::size_t i = 0; i < n; ++i) own_[i] = std::bit_cast<std::uint64_t>(values[i]);
  collectives_.agree(own_, number_++, all_);
  std::ranges::fill(values, 0.0);
  for (std::size_t i = 0; i < all_.size(); ++i) values[i % n] += std::bit_cast<double>(all_[i]);
}

}  // namespace terse::run
