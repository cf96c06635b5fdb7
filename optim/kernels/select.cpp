#include "optim/kernels/select.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/error.hpp"

namespace terse::codec {
namespace {

constexpr std::uint32_t kMagnitude = 0x7fffffff, kInfinity = 0x7f800000;

std::uint32_t key_of(float x) {
  return std::min(std::bit_cast<std::uint32_t>(x) & kMagnitude, kInfinity);
}

// Keys of lines of 16, about one value in 128, spread over all and not quite evenly: a tensor may
// have a period.
template <class Key>
std::vector<std::uint32_t> sample_of(std::int64_t n, Key key) {
  constexpr std::int64_t kLine = 16, kFewest = 64, kMost = 2048;
  const auto lines = std::clamp(n / (128 * kLine), kFewest, kMost);
  const auto stride = n / (lines * kLine);
  std::vector<std::uint32_t> sample;
  sample.reserve(static_cast<std::size_t>(lines * kLine));
  for (std::int64_t line = 0; line < lines; ++line) {
    const auto shift =
        static_cast<std::int64_t>(static_cast<std::uint32_t>(line) * 2654435761U >> 8);
    const auto begin = (line * stride + shift % stride) * kLine;
    for (auto i = begin; i < begin + kLine; ++i) sample.push_back(key(i));
  }
  return sample;
}

// A key and its place as one number: the larger key first, of equals the lower place.
std::uint64_t rank_of(std::uint32_t key, std::int64_t i) {
  return std::uint64_t{key} << 32 | ~static_cast<std::uint32_t>(i);
}
std::uint32_t place_of(std::uint64_t rank) {
  return ~static_cast<std::uint32_t>(rank);
}

// Ranks by ascending place, at least k, all of the k largest keys among them: what reaches a key
// that, to judge by a sample, a few more than k reach. If it was too high, the next has twice its
// number in the sample. at_least(key) are the ranks of keys that are no smaller.
template <class Key, class AtLeast>
std::vector<std::uint64_t> candidates_for(std::int64_t n, std::int64_t k, Key key,
                                          AtLeast at_least) {
  constexpr std::int64_t kSmall = 1 << 13;
  if (n >= kSmall && k < n / 8) {
    auto sample = sample_of(n, key);
    const double expected =
        static_cast<double>(k) * static_cast<double>(sample.size()) / static_cast<double>(n);
    auto number = static_cast<std::int64_t>(expected + 4 * std::sqrt(expected) + 4);
    for (; number < std::ssize(sample); number *= 2) {
      std::nth_element(sample.begin(), sample.begin() + number, sample.end(), std::greater<>());
      auto candidates = at_least(sample[static_cast<std::size_t>(number)]);
      if (std::ssize(candidates) >= k) return candidates;
    }
  }
  return at_least(0);
}

// Appends the places of the k largest, ascending.
void append_largest(const std::vector<std::uint64_t>& candidates, std::int64_t k,
                    std::uint32_t first, std::vector<std::uint32_t>& indices) {
  if (k == 0) return;
  auto order = candidates;
  std::nth_element(order.begin(), order.begin() + (k - 1), order.end(), std::greater<>());
  const auto last = order[static_cast<std::size_t>(k - 1)];
  for (const auto rank : candidates) {
    if (rank >= last) indices.push_back(first + place_of(rank));
  }
}

// Bit b of the word: the magnitude of x[b] is no smaller. NaN is larger than infinity here.
std::uint32_t large_bits(const float* x, std::int64_t n, std::uint32_t least) {
  return bits_where(n, [=, limit = static_cast<std::int32_t>(least)](std::int64_t b) {
    return static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(x[b]) & kMagnitude) >= limit;
  });
}

// x = keep x + g
void feed(const float* g, float keep, float* x, std::int64_t n) {
  if (n == kSelectBits) {
    for (std::int64_t i = 0; i < kSelectBits; ++i) x[i] = keep * x[i] + g[i];
  } else {
    for (std::int64_t i = 0; i < n; ++i) x[i] = keep * x[i] + g[i];
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
  if (k == 0) return;
  const auto key = [from = x.data()](std::int64_t i) { return key_of(from[i]); };
  const auto at_least = [&](std::uint32_t least) {
    std::vector<std::uint64_t> found;
    select_bits(
        std::ssize(x),
        [from = x.data(), least](auto i, auto n) { return large_bits(from + i, n, least); },
        [key](std::int64_t i) { return rank_of(key(i), i); }, found);
    return found;
  };
  append_largest(candidates_for(std::ssize(x), k, key, at_least), k, first, indices);
}

void select_largest(std::span<const std::uint32_t> keys, std::int64_t k, std::uint32_t first,
                    std::vector<std::uint32_t>& indices) {
  if (k == 0) return;
  const auto key = [from = keys.data()](std::int64_t i) { return from[i]; };
  const auto at_least = [&](std::uint32_t least) {
    std::vector<std::uint64_t> found;
    select_bits(
        std::ssize(keys),
        [from = keys.data(), least](auto i, auto n) {
          return bits_where(n, [=](std::int64_t b) { return from[i + b] >= least; });
        },
        [key](std::int64_t i) { return rank_of(key(i), i); }, found);
    return found;
  };
  append_largest(candidates_for(std::ssize(keys), k, key, at_least), k, first, indices);
}

void feed_and_select_largest(std::span<const float> g, float keep, std::span<float> x,
                             std::int64_t k, std::uint32_t first,
                             std::vector<std::uint32_t>& indices) {
  internal_check(g.size() == x.size(), "select: {} values are fed to {}", g.size(), x.size());
  const auto key = [from = x.data()](std::int64_t i) { return key_of(from[i]); };
  const auto fed_key = [keep, from = g.data(), to = x.data()](std::int64_t i) {
    return key_of(keep * to[i] + from[i]);
  };
  bool fed = false;  // by the first look at all of x
  const auto at_least = [&](std::uint32_t least) {
    std::vector<std::uint64_t> found;
    select_bits(
        std::ssize(x),
        [keep, fed, from = g.data(), to = x.data(), least](auto i, auto n) {
          if (!fed) feed(from + i, keep, to + i, n);
          return large_bits(to + i, n, least);
        },
        [key](std::int64_t i) { return rank_of(key(i), i); }, found);
    fed = true;
    return found;
  };
  append_largest(candidates_for(std::ssize(x), k, fed_key, at_least), k, first, indices);
}

}  // namespace terse::codec
