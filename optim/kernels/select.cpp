#include "optim/kernels/select.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

namespace terse::codec {
namespace {

constexpr std::uint32_t kMagnitude = 0x7fffffff, kInfinity = 0x7f800000;

std::uint32_t key_of(float x) {
  return std::min(std::bit_cast<std::uint32_t>(x) & kMagnitude, kInfinity);
}

// Keys of lines of 16, spread over all and not quite evenly: a tensor may have a period.
template <class Key>
std::vector<std::uint32_t> sample_of(std::int64_t n, Key key) {
  constexpr std::int64_t kLines = 2048, kLine = 16;
  const auto stride = n / (kLines * kLine);
  std::vector<std::uint32_t> sample;
  sample.reserve(static_cast<std::size_t>(kLines * kLine));
  for (std::int64_t line = 0; line < kLines; ++line) {
    const auto shift =
        static_cast<std::int64_t>(static_cast<std::uint32_t>(line) * 2654435761U >> 8);
    const auto begin = (line * stride + shift % stride) * kLine;
    for (auto i = begin; i < begin + kLine; ++i) sample.push_back(key(i));
  }
  return sample;
}

// Ascending, at least k, all of the k largest among them: what reaches a key that, to judge by a
// sample, a few more than k reach. If it was too high, the next has twice the rank.
template <class Key>
std::vector<std::uint32_t> candidates_for(std::int64_t n, std::int64_t k, Key key) {
  constexpr std::int64_t kSmall = 1 << 17;
  std::vector<std::uint32_t> candidates;
  if (n >= kSmall && k < n / 8) {
    auto sample = sample_of(n, key);
    const double expected =
        static_cast<double>(k) * static_cast<double>(sample.size()) / static_cast<double>(n);
    auto rank = static_cast<std::int64_t>(expected + 4 * std::sqrt(expected) + 4);
    for (; rank < std::ssize(sample); rank *= 2) {
      std::nth_element(sample.begin(), sample.begin() + rank, sample.end(), std::greater<>());
      const auto least = sample[static_cast<std::size_t>(rank)];
      candidates.clear();
      select_if(
          n, 0, [&](std::int64_t i) { return key(i) >= least; }, candidates);
      if (std::ssize(candidates) >= k) return candidates;
    }
  }
  candidates.resize(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < candidates.size(); ++i) candidates[i] = static_cast<std::uint32_t>(i);
  return candidates;
}

template <class Key>
void select(std::int64_t n, std::int64_t k, std::uint32_t first,
            std::vector<std::uint32_t>& indices, Key key) {
  if (k == 0) return;
  const auto candidates = candidates_for(n, k, key);
  // The k-th largest key; what is above it is in, and of its equals the first ones.
  std::vector<std::uint32_t> order;
  order.reserve(candidates.size());
  for (const auto i : candidates) order.push_back(key(i));
  std::nth_element(order.begin(), order.begin() + (k - 1), order.end(), std::greater<>());
  const auto threshold = order[static_cast<std::size_t>(k - 1)];
  const auto above = std::count_if(order.begin(), order.begin() + k,
                                   [threshold](auto other) { return other > threshold; });
  auto equals = k - above;
  for (const auto i : candidates) {
    const auto own = key(i);
    if (own < threshold) continue;
    if (own == threshold && equals-- <= 0) continue;
    indices.push_back(first + i);
  }
}

}  // namespace

void magnitude_keys(std::span<const float> x, std::span<std::uint32_t> keys) {
  parallel_for(std::ssize(x), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) keys[i] = key_of(x[i]);
  });
}

void select_largest(std::span<const float> x, std::int64_t k, std::uint32_t first,
                    std::vector<std::uint32_t>& indices) {
  select(std::ssize(x), k, first, indices,
         [from = x.data()](std::int64_t i) { return key_of(from[i]); });
}

void select_largest(std::span<const std::uint32_t> keys, std::int64_t k, std::uint32_t first,
                    std::vector<std::uint32_t>& indices) {
  select(std::ssize(keys), k, first, indices,
         [from = keys.data()](std::int64_t i) { return from[i]; });
}

}  // namespace terse::codec
