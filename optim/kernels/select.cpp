#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tersegrad/optim/kernels/select.cpp"
#include <hwy/foreach_target.h>

#include "tersegrad/optim/kernels/select.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/simd/dispatch.hpp"
#include "tersegrad/optim/kernels/lanes-inl.hpp"

#ifndef TERSE_OPTIM_KERNELS_SELECT_ONCE
#define TERSE_OPTIM_KERNELS_SELECT_ONCE
namespace terse::kernels {
namespace {
constexpr std::uint32_t kMagnitude = 0x7fffffff, kInfinity = 0x7f800000;
}
}  // namespace terse::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {
namespace {

// Marks each i of a block whose value has a magnitude of at least `least`, given as bits; here NaN
// is larger than infinity. value(d, i) returns the values from i on, one per lane of the tag d. It
// reads the arrays `from`, which are prefetched.
template <class Value>
HWY_INLINE void mark_reaching(std::int64_t begin, std::int64_t end, std::uint32_t least,
                              std::initializer_list<const float*> from, SelectWords& words,
                              Value value) {
  for (auto i = begin; i < end; i += kSelectBits) {
    for (const float* x : from) fetch_ahead(x + i);
    words[static_cast<std::size_t>((i - begin) / kSelectBits)] =
        compare_word(std::min(kSelectBits, end - i), [&](auto d, std::int64_t b) {
          const hn::RebindToSigned<decltype(d)> bits;
          const auto key = hn::And(hn::BitCast(bits, value(d, i + b)), hn::Set(bits, kMagnitude));
          const auto below = hn::Set(bits, static_cast<std::int32_t>(least) - 1);
          return hn::RebindMask(d, hn::Gt(key, below));
        });
  }
}

}  // namespace

void mark_at_level(std::int64_t begin, std::int64_t end, std::uint32_t least, const float* x,
                   SelectWords& words) {
  mark_reaching(begin, end, least, {x}, words,
                [=](auto d, std::int64_t i) { return hn::LoadU(d, x + i); });
}

// Sets x = keep x + g and marks its values in the same pass.
void feed_and_mark_at_level(std::int64_t begin, std::int64_t end, std::uint32_t least,
                            const float* g, float keep, float* x, SelectWords& words) {
  mark_reaching(begin, end, least, {g, x}, words, [=](auto d, std::int64_t i) {
    const auto kept = hn::Mul(hn::Set(d, keep), hn::LoadU(d, x + i));
    const auto sum = hn::Add(kept, hn::LoadU(d, g + i));
    hn::StoreU(sum, d, x + i);
    return sum;
  });
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace terse::kernels {

HWY_EXPORT(mark_at_level);
HWY_EXPORT(feed_and_mark_at_level);

namespace {

std::uint32_t key_of(float x) {
  return std::min(std::bit_cast<std::uint32_t>(x) & kMagnitude, kInfinity);
}

// Samples the keys of lines of 16, about one value in 256. The lines are spread over the whole
// tensor at uneven distances, because its values may be periodic.
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

// The number-th largest, counted from 0, of the ranks for which for_each(body) calls body. The high
// half of a rank is its key. Ranks are first counted in classes of keys, because only those of one
// class have to be sorted.
template <class ForEach>
std::uint64_t nth_largest(ForEach for_each, std::int64_t number,
                          std::vector<std::uint64_t>& scratch) {
  constexpr int kBits = 11;
  const auto key_of = [](std::uint64_t rank) { return static_cast<std::uint32_t>(rank >> 32); };
  std::uint32_t least = kInfinity, most = 0;
  for_each([&](std::uint64_t rank) {
    least = std::min(least, key_of(rank));
    most = std::max(most, key_of(rank));
  });
  const int shift = std::max(0, static_cast<int>(std::bit_width(most - least)) - kBits);
  const auto class_of = [=](std::uint64_t rank) { return (key_of(rank) - least) >> shift; };
  std::array<std::int64_t, 1 << kBits> sizes{};
  for_each([&](std::uint64_t rank) { ++sizes[class_of(rank)]; });
  auto chosen = sizes.size() - 1;
  for (; number >= sizes[chosen]; --chosen) number -= sizes[chosen];
  scratch.clear();
  for_each([&](std::uint64_t rank) {
    if (class_of(rank) == chosen) scratch.push_back(rank);
  });
  std::nth_element(scratch.begin(), scratch.begin() + number, scratch.end(), std::greater<>());
  return scratch[static_cast<std::size_t>(number)];
}

}  // namespace

void magnitude_keys(std::span<const float> x, std::span<std::uint32_t> keys) {
  vectorized_for(std::ssize(x), kGrain,
                 [from = x.data(), to = keys.data()](std::int64_t begin, std::int64_t end) {
                   for (auto i = begin; i < end; ++i) to[i] = key_of(from[i]);
                 });
}

std::uint32_t LargestSelector::Candidate::key() const {
  return key_of(std::bit_cast<float>(bits));
}

// Key and place as one number that orders candidates by larger key, then by lower place.
std::uint64_t LargestSelector::Candidate::rank() const {
  return std::uint64_t{key()} << 32 | ~place;
}

template <class Body>
void LargestSelector::for_each_candidate(Body body) const {
  for (std::size_t p = 0; p < pieces_; ++p) {
    for (const auto candidate : found_[p]) body(candidate);
  }
}

// Finds candidates in parallel until there are at least k, the k largest among them. A sample says
// which key a few more than k values reach; look(least) finds those that reach it. If they are
// fewer than k, look_again(least) takes a lower key: twice as many values of the sample reach it.
template <class Key, class Look, class LookAgain>
void LargestSelector::find_candidates(std::int64_t n, std::int64_t k, Key key, Look look,
                                      LookAgain look_again) {
  constexpr std::int64_t kSmall = 1 << 13;
  std::int64_t number = 0;
  sample_.clear();  // of few values, or if k is a large part of them, all are candidates
  if (n >= kSmall && k < n / 8) {
    take_sample(n, key, sample_);
    const double expected =
        static_cast<double>(k) * static_cast<double>(sample_.size()) / static_cast<double>(n);
    number = static_cast<std::int64_t>(expected + 3 * std::sqrt(expected) + 4);
  }
  const auto reached_by = [&](std::int64_t values) -> std::uint32_t {
    if (values >= std::ssize(sample_)) return 0;
    const auto for_each_rank = [&](auto body) {
      for (const auto of_sample : sample_) body(std::uint64_t{of_sample} << 32);
    };
    return static_cast<std::uint32_t>(nth_largest(for_each_rank, values, scratch_) >> 32);
  };
  const auto found = [&] {
    std::int64_t candidates = 0;
    for (std::size_t p = 0; p < pieces_; ++p) candidates += std::ssize(found_[p]);
    return candidates;
  };
  pieces_ = look(reached_by(number));
  while (found() < k) pieces_ = look_again(reached_by(number *= 2));
}

// Keeps the k largest candidates and calls other(candidate) for the others. The loop has no branch,
// which would be mispredicted for every third candidate.
template <class Other>
void LargestSelector::keep_largest(std::int64_t k, Other other) {
  const auto for_each_rank = [&](auto body) {
    for_each_candidate([&](Candidate candidate) { body(candidate.rank()); });
  };
  const auto last = k == 0 ? ~std::uint64_t{0} : nth_largest(for_each_rank, k - 1, scratch_);
  for (std::size_t p = 0; p < pieces_; ++p) {
    auto& piece = found_[p];
    others_.resize(std::max(others_.size(), piece.size()));
    std::size_t kept = 0, others = 0;
    for (const auto candidate : piece) {
      const bool largest = candidate.rank() >= last;
      piece[kept] = candidate;
      others_[others] = candidate;
      kept += largest;
      others += !largest;
    }
    piece.resize(kept);
    for (std::size_t o = 0; o < others; ++o) other(others_[o]);
  }
}

void LargestSelector::write(std::uint32_t first, std::span<std::uint32_t> indices,
                            std::span<float> values) const {
  std::size_t entry = 0;
  for_each_candidate([&](Candidate candidate) {
    indices[entry] = first + candidate.place;
    values[entry++] = std::bit_cast<float>(candidate.bits);
  });
}

void LargestSelector::select(std::span<const float> x, std::uint32_t first,
                             std::span<std::uint32_t> indices, std::span<float> values) {
  const auto k = std::ssize(indices);
  const float* from = x.data();
  const auto candidate = [from](std::int64_t i) {
    return Candidate{std::bit_cast<std::uint32_t>(from[i]), static_cast<std::uint32_t>(i)};
  };
  const auto look = [&](std::uint32_t least) {
    const auto mark = [=](auto begin, auto end, auto& words) {
      TERSE_DISPATCH(mark_at_level)(begin, end, least, from, words);
    };
    return find_marked(std::ssize(x), mark, candidate, found_);
  };
  const auto key = [from](std::int64_t i) { return key_of(from[i]); };
  find_candidates(std::ssize(x), k, key, look, look);
  keep_largest(k, [](Candidate) {});
  write(first, indices, values);
}

void LargestSelector::select(std::span<const std::uint32_t> keys,
                             std::span<std::uint32_t> indices) {
  const auto k = std::ssize(indices);
  const std::uint32_t* from = keys.data();
  const auto candidate = [from](std::int64_t i) {
    return Candidate{from[i], static_cast<std::uint32_t>(i)};
  };
  const auto look = [&](std::uint32_t least) {
    const auto mark = [=](auto begin, auto end, auto& words) {
      vectorized(
          [=, &words](std::int64_t first, std::int64_t stop) {
            mark_where(
                first, stop, [=](std::int64_t i) { return from[i] >= least; }, words);
          },
          begin, end);
    };
    return find_marked(std::ssize(keys), mark, candidate, found_);
  };
  const auto key = [from](std::int64_t i) { return from[i]; };
  find_candidates(std::ssize(keys), k, key, look, look);
  keep_largest(k, [](Candidate) {});
  std::size_t entry = 0;
  for_each_candidate([&](Candidate largest) { indices[entry++] = largest.place; });
}

void LargestSelector::feed_and_select(std::span<const float> g, float keep, std::span<float> x,
                                      bool take, std::uint32_t first,
                                      std::span<std::uint32_t> indices, std::span<float> values) {
  const auto k = std::ssize(indices);
  internal_check(g.size() == x.size(),
                 "select: expected one gradient value per residual value; got {} and {}", g.size(),
                 x.size());
  const float* from = g.data();
  float* to = x.data();
  // With `take`, x_i becomes 0 for the k selected i. Writing that at the end would be k cache
  // misses (3 % of the time of topk+ef). Therefore the search sets x_i to 0 as soon as i is a
  // candidate, while x_i is in the cache. It finds about a third more candidates than k, but a
  // candidate holds the bits of x_i, so `restore` can write them back:
  //   - for all candidates before another search, which must read the true x
  //   - at the end, for the candidates that are not among the k largest
  const auto candidate = [=](std::int64_t i) {
    const Candidate found{std::bit_cast<std::uint32_t>(to[i]), static_cast<std::uint32_t>(i)};
    if (take) to[i] -= to[i];  // 0, or NaN if x_i is not finite
    return found;
  };
  const auto restore = [=](Candidate found) {
    if (take) to[found.place] = std::bit_cast<float>(found.bits);
  };
  const auto look = [&](std::uint32_t least) {  // adds g on the way
    const auto mark = [=](auto begin, auto end, auto& words) {
      TERSE_DISPATCH(feed_and_mark_at_level)(begin, end, least, from, keep, to, words);
    };
    return find_marked(std::ssize(x), mark, candidate, found_);
  };
  const auto look_again = [&](std::uint32_t least) {
    for_each_candidate(restore);
    const auto mark = [=](auto begin, auto end, auto& words) {
      TERSE_DISPATCH(mark_at_level)(begin, end, least, to, words);
    };
    return find_marked(std::ssize(x), mark, candidate, found_);
  };
  const auto key = [=](std::int64_t i) { return key_of(keep * to[i] + from[i]); };
  find_candidates(std::ssize(x), k, key, look, look_again);
  keep_largest(k, restore);
  write(first, indices, values);
}

}  // namespace terse::kernels
#endif
