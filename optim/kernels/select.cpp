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
  sample.resize(static_cast<std::size_t>(lines * kLine));
  for (std::int64_t line = 0; line < lines; ++line) {
    const auto shift =
        static_cast<std::int64_t>(static_cast<std::uint32_t>(line) * 2654435761U >> 8);
    const auto begin = (line * stride + shift % stride) * kLine;
    const auto to = std::span(sample).subspan(static_cast<std::size_t>(line * kLine), kLine);
    for (std::int64_t i = 0; i < kLine; ++i) to[static_cast<std::size_t>(i)] = key(begin + i);
  }
}

// The magnitude is no smaller. NaN is larger than infinity here.
bool reaches(float x, std::uint32_t least) {
  return static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(x) & kMagnitude) >=
         static_cast<std::int32_t>(least);
}

// x_i = keep x_i + g_i
void feed(const float* g, float keep, float* x, std::int64_t begin, std::int64_t end) {
  for (auto i = begin; i < end; ++i) x[i] = keep * x[i] + g[i];
}

}  // namespace

void magnitude_keys(std::span<const float> x, std::span<std::uint32_t> keys) {
  parallel_for(std::ssize(x), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) keys[i] = key_of(x[i]);
  });
}

std::uint32_t LargestSelector::Candidate::key() const {
  return key_of(std::bit_cast<float>(bits));
}

// A key and its place as one number: the larger key first, of equals the lower place.
std::uint64_t LargestSelector::Candidate::rank() const {
  return std::uint64_t{key()} << 32 | ~place;
}

template <class Body>
void LargestSelector::for_each_candidate(Body body) const {
  for (std::size_t p = 0; p < pieces_; ++p) {
    for (const auto candidate : found_[p]) body(candidate);
  }
}

// Finds at least k, all of the k largest among them: what reaches a key that, to judge by a sample,
// a few more than k reach. If it was too high, the next has twice its number in the sample.
// at_least(key) finds what is no smaller, and returns in how many pieces.
template <class Key, class AtLeast>
void LargestSelector::find_candidates(std::int64_t n, std::int64_t k, Key key, AtLeast at_least) {
  constexpr std::int64_t kSmall = 1 << 13;
  const auto enough = [&] {
    std::int64_t found = 0;
    for (std::size_t p = 0; p < pieces_; ++p) found += std::ssize(found_[p]);
    return found >= k;
  };
  if (n >= kSmall && k < n / 8) {
    take_sample(n, key, sample_);
    const double expected =
        static_cast<double>(k) * static_cast<double>(sample_.size()) / static_cast<double>(n);
    auto number = static_cast<std::int64_t>(expected + 4 * std::sqrt(expected) + 4);
    for (; number < std::ssize(sample_); number *= 2) {
      std::nth_element(sample_.begin(), sample_.begin() + number, sample_.end(), std::greater<>());
      pieces_ = at_least(sample_[static_cast<std::size_t>(number)]);
      if (enough()) return;
    }
  }
  pieces_ = at_least(0);
}

// The rank of the k-th largest candidate. Keys are sorted into classes of equal width, for most lie
// in others than the k-th does.
std::uint64_t LargestSelector::rank_of_kth(std::int64_t k) {
  constexpr int kBits = 11;
  std::uint32_t least = kInfinity, most = 0;
  for_each_candidate([&](Candidate candidate) {
    least = std::min(least, candidate.key());
    most = std::max(most, candidate.key());
  });
  const int shift = std::max(0, static_cast<int>(std::bit_width(most - least)) - kBits);
  const auto class_of = [=](Candidate candidate) { return (candidate.key() - least) >> shift; };
  std::array<std::int64_t, 1 << kBits> sizes{};
  for_each_candidate([&](Candidate candidate) { ++sizes[class_of(candidate)]; });
  auto chosen = sizes.size() - 1;
  for (; k > sizes[chosen]; --chosen) k -= sizes[chosen];
  order_.clear();
  for_each_candidate([&](Candidate candidate) {
    if (class_of(candidate) == chosen) order_.push_back(candidate.rank());
  });
  std::nth_element(order_.begin(), order_.begin() + (k - 1), order_.end(), std::greater<>());
  return order_[static_cast<std::size_t>(k - 1)];
}

// chosen(candidate) for the k largest candidates, other(candidate) for the others, both ascending.
template <class Chosen, class Other>
void LargestSelector::divide(std::int64_t k, Chosen chosen, Other other) {
  const auto last = k == 0 ? ~std::uint64_t{0} : rank_of_kth(k);
  for_each_candidate([&](Candidate candidate) {
    candidate.rank() >= last ? chosen(candidate) : other(candidate);
  });
}

void LargestSelector::select(std::span<const float> x, std::int64_t k, std::uint32_t first,
                             std::vector<std::uint32_t>& indices, std::vector<float>& values) {
  const float* from = x.data();
  const auto candidate = [from](std::int64_t i) {
    return Candidate{std::bit_cast<std::uint32_t>(from[i]), static_cast<std::uint32_t>(i)};
  };
  find_candidates(
      std::ssize(x), k, [from](std::int64_t i) { return key_of(from[i]); },
      [&](std::uint32_t least) {
        const auto mark = [=](auto begin, auto end, auto& words) {
          mark_where(
              begin, end, [=](std::int64_t i) { return reaches(from[i], least); }, words);
        };
        return find_marked(std::ssize(x), mark, candidate, found_);
      });
  divide(
      k,
      [&](Candidate largest) {
        indices.push_back(first + largest.place);
        values.push_back(std::bit_cast<float>(largest.bits));
      },
      [](Candidate) {});
}

void LargestSelector::select(std::span<const std::uint32_t> keys, std::int64_t k,
                             std::uint32_t first, std::vector<std::uint32_t>& indices) {
  const std::uint32_t* from = keys.data();
  const auto candidate = [from](std::int64_t i) {
    return Candidate{from[i], static_cast<std::uint32_t>(i)};
  };
  find_candidates(
      std::ssize(keys), k, [from](std::int64_t i) { return from[i]; },
      [&](std::uint32_t least) {
        const auto mark = [=](auto begin, auto end, auto& words) {
          mark_where(
              begin, end, [=](std::int64_t i) { return from[i] >= least; }, words);
        };
        return find_marked(std::ssize(keys), mark, candidate, found_);
      });
  divide(
      k, [&](Candidate largest) { indices.push_back(first + largest.place); }, [](Candidate) {});
}

void LargestSelector::feed_and_select(std::span<const float> g, float keep, std::span<float> x,
                                      bool take, std::int64_t k, std::uint32_t first,
                                      std::vector<std::uint32_t>& indices,
                                      std::vector<float>& values) {
  internal_check(g.size() == x.size(), "select: {} values are fed to {}", g.size(), x.size());
  const float* from = g.data();
  float* to = x.data();
  const auto candidate = [=](std::int64_t i) {
    const Candidate found{std::bit_cast<std::uint32_t>(to[i]), static_cast<std::uint32_t>(i)};
    if (take) to[i] -= to[i];
    return found;
  };
  const auto put_back = [=](Candidate other) {
    if (take) to[other.place] = std::bit_cast<float>(other.bits);
  };
  bool fed = false;  // by the first look at all of x
  find_candidates(
      std::ssize(x), k, [=](std::int64_t i) { return key_of(keep * to[i] + from[i]); },
      [&](std::uint32_t least) {
        if (fed) for_each_candidate(put_back);
        const auto mark = [=](auto begin, auto end, auto& words) {
          if (!fed) feed(from, keep, to, begin, end);
          mark_where(
              begin, end, [=](std::int64_t i) { return reaches(to[i], least); }, words);
        };
        const auto pieces = find_marked(std::ssize(x), mark, candidate, found_);
        fed = true;
        return pieces;
      });
  divide(
      k,
      [&](Candidate largest) {
        indices.push_back(first + largest.place);
        values.push_back(std::bit_cast<float>(largest.bits));
      },
      put_back);
}

}  // namespace terse::codec
