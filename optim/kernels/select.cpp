#include "optim/kernels/select.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "core/error.hpp"

namespace terse::codec {
namespace {

constexpr std::uint32_t kMagnitude = 0x7fffffff, kInfinity = 0x7f800000;

std::uint32_t key_of(float x) {
  return std::min(std::bit_cast<std::uint32_t>(x) & kMagnitude, kInfinity);
}

// Keys of lines of 16, about one value in 256, spread over all and not quite evenly: a tensor may
// have a period.
template <class Key>
void take_sample(std::int64_t n, Key key, std::vector<std::uint32_t>& sample) {
  constexpr std::int64_t kLine = 16, kFewest = 64, kMost = 2048;
  const auto lines = std::clamp(n / (256 * kLine), kFewest, kMost);
  const auto stride = n / (lines * kLine);
  sample.clear();
  for (std::int64_t line = 0; line < lines; ++line) {
    const auto shift =
        static_cast<std::int64_t>(static_cast<std::uint32_t>(line) * 2654435761U >> 8);
    const auto begin = (line * stride + shift % stride) * kLine;
    for (auto i = begin; i < begin + kLine; ++i) sample.push_back(key(i));
  }
}

// A key and its place as one number: the larger key first, of equals the lower place.
std::uint64_t rank_of(std::uint32_t key, std::int64_t i) {
  return std::uint64_t{key} << 32 | ~static_cast<std::uint32_t>(i);
}
std::uint32_t place_of(std::uint64_t rank) {
  return ~static_cast<std::uint32_t>(rank);
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

// candidates_ = the ranks of the places that `word` says, ascending.
template <class Key, class Word>
void LargestSelector::collect(std::int64_t n, Key key, Word word) {
  candidates_.clear();
  select_bits(
      n, word, [key](std::int64_t i) { return rank_of(key(i), i); }, found_, candidates_);
}

// candidates_ = at least k, all of the k largest among them: what reaches a key that, to judge by a
// sample, a few more than k reach. If it was too high, the next has twice its number in the sample.
// at_least(key) collects the ranks of keys that are no smaller.
template <class Key, class AtLeast>
void LargestSelector::find_candidates(std::int64_t n, std::int64_t k, Key key, AtLeast at_least) {
  constexpr std::int64_t kSmall = 1 << 13;
  if (n >= kSmall && k < n / 8) {
    take_sample(n, key, sample_);
    const double expected =
        static_cast<double>(k) * static_cast<double>(sample_.size()) / static_cast<double>(n);
    auto number = static_cast<std::int64_t>(expected + 4 * std::sqrt(expected) + 4);
    for (; number < std::ssize(sample_); number *= 2) {
      std::nth_element(sample_.begin(), sample_.begin() + number, sample_.end(), std::greater<>());
      at_least(sample_[static_cast<std::size_t>(number)]);
      if (std::ssize(candidates_) >= k) return;
    }
  }
  at_least(0);
}

// The k-th largest candidate. Keys are sorted into classes of equal width, for most lie in others
// than the k-th does.
std::uint64_t LargestSelector::kth_candidate(std::int64_t k) {
  constexpr int kBits = 11;
  const auto key = [](std::uint64_t rank) { return static_cast<std::uint32_t>(rank >> 32); };
  const auto [least, most] = std::ranges::minmax(candidates_);
  const int shift = std::max(0, static_cast<int>(std::bit_width(key(most) - key(least))) - kBits);
  const auto class_of = [&, from = key(least)](std::uint64_t rank) {
    return (key(rank) - from) >> shift;
  };
  std::array<std::int64_t, 1 << kBits> sizes{};
  for (const auto rank : candidates_) ++sizes[class_of(rank)];
  auto chosen = sizes.size() - 1;
  for (; k > sizes[chosen]; --chosen) k -= sizes[chosen];
  order_.clear();
  for (const auto rank : candidates_) {
    if (class_of(rank) == chosen) order_.push_back(rank);
  }
  std::nth_element(order_.begin(), order_.begin() + (k - 1), order_.end(), std::greater<>());
  return order_[static_cast<std::size_t>(k - 1)];
}

// Appends the places of the k largest candidates.
void LargestSelector::append_largest(std::int64_t k, std::uint32_t first,
                                     std::vector<std::uint32_t>& indices) {
  if (k == 0) return;
  const auto last = kth_candidate(k);
  for (const auto rank : candidates_) {
    if (rank >= last) indices.push_back(first + place_of(rank));
  }
}

void LargestSelector::select(std::span<const float> x, std::int64_t k, std::uint32_t first,
                             std::vector<std::uint32_t>& indices) {
  if (k == 0) return;
  const auto key = [from = x.data()](std::int64_t i) { return key_of(from[i]); };
  find_candidates(std::ssize(x), k, key, [&](std::uint32_t least) {
    collect(std::ssize(x), key,
            [from = x.data(), least](auto i, auto n) { return large_bits(from + i, n, least); });
  });
  append_largest(k, first, indices);
}

void LargestSelector::select(std::span<const std::uint32_t> keys, std::int64_t k,
                             std::uint32_t first, std::vector<std::uint32_t>& indices) {
  if (k == 0) return;
  const auto key = [from = keys.data()](std::int64_t i) { return from[i]; };
  find_candidates(std::ssize(keys), k, key, [&](std::uint32_t least) {
    collect(std::ssize(keys), key, [from = keys.data(), least](auto i, auto n) {
      return bits_where(n, [=](std::int64_t b) { return from[i + b] >= least; });
    });
  });
  append_largest(k, first, indices);
}

void LargestSelector::feed_and_select(std::span<const float> g, float keep, std::span<float> x,
                                      std::int64_t k, std::uint32_t first,
                                      std::vector<std::uint32_t>& indices) {
  internal_check(g.size() == x.size(), "select: {} values are fed to {}", g.size(), x.size());
  const auto key = [from = x.data()](std::int64_t i) { return key_of(from[i]); };
  const auto fed_key = [keep, from = g.data(), to = x.data()](std::int64_t i) {
    return key_of(keep * to[i] + from[i]);
  };
  bool fed = false;  // by the first look at all of x
  find_candidates(std::ssize(x), k, fed_key, [&](std::uint32_t least) {
    collect(std::ssize(x), key, [keep, fed, from = g.data(), to = x.data(), least](auto i, auto n) {
      if (!fed) feed(from + i, keep, to + i, n);
      return large_bits(to + i, n, least);
    });
    fed = true;
  });
  append_largest(k, first, indices);
}

}  // namespace terse::codec
