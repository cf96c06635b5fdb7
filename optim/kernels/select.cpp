#include "optim/kernels/select.hpp"

#include <algorithm>
#include <bit>
#include <functional>

#include "core/parallel.hpp"
#include "optim/kernels/vector.hpp"

namespace terse::codec {

void magnitude_keys(std::span<const float> x, std::span<std::uint32_t> keys) {
  constexpr std::uint32_t kMagnitude = 0x7fffffff, kInfinity = 0x7f800000;
  parallel_for(std::ssize(x), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      keys[i] = std::min(std::bit_cast<std::uint32_t>(x[i]) & kMagnitude, kInfinity);
    }
  });
}

void select_largest(std::span<const std::uint32_t> keys, std::int64_t k, std::uint32_t first,
                    std::vector<std::uint32_t>& indices) {
  if (k == 0) return;
  // The k-th largest key; what is above it is in, and of its equals the first ones.
  std::vector<std::uint32_t> order(keys.begin(), keys.end());
  std::nth_element(order.begin(), order.begin() + (k - 1), order.end(), std::greater<>());
  const auto threshold = order[k - 1];
  const auto above = std::count_if(order.begin(), order.begin() + k,
                                   [threshold](auto key) { return key > threshold; });
  auto equals = k - above;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i] < threshold) continue;
    if (keys[i] == threshold && equals-- <= 0) continue;
    indices.push_back(first + static_cast<std::uint32_t>(i));
  }
}

}  // namespace terse::codec
