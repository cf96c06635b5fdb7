// Top-k in four steps:
//
//   1. sample      `take_sample` samples a few of the n magnitudes.
//   2. threshold   `nth_largest` of the sample gives a threshold that more than k of the n values
//                  should reach.
//   3. candidates  One pass over all values (`search`) collects those that reach the threshold. If
//                  they are fewer than k, the threshold is lowered and the pass is repeated.
//   4. exact k     `keep_largest` finds the k-th largest candidate and drops the smaller ones.
//
// `find_candidates` does the steps 1 to 3. Only step 3 reads all n values. With fewer than 8192
// values, or k of at least n / 8, the threshold is 0: all values are candidates, and step 4 does
// the work.
//
// m = k · (sample size) / n of the sampled values are expected to be among the k largest. The
// threshold is the (m + 3 sqrt(m) + 4)-th largest sampled value, three standard deviations sqrt(m)
// and 4 beyond the m-th, so fewer than k candidates are rare. About k (3 sqrt(m) + 4) / m
// candidates are therefore too many. For example, of n = 1 000 000 values with k = 10 000, 3904 are
// sampled, and m = 39. 62 sampled values reach the threshold, so about 15 900 of all values do, of
// which step 4 keeps 10 000.
//
// Magnitudes are compared as integers: the bits of |x| without the sign, whose order is that of the
// magnitudes. The file begins with the code that is compiled once for each SIMD level, because
// Highway needs it there.
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

// Marks each i of a block whose value has magnitude bits of at least `threshold`. The bits of NaN
// are above those of infinity here, and magnitude_of maps both to infinity, so both reach every
// threshold. value(d, i) returns the values from i on, one per lane of the tag d. It reads the
// arrays `from`, which are prefetched.
template <class Value>
HWY_INLINE void mark_reaching(std::int64_t begin, std::int64_t end, std::uint32_t threshold,
                              std::initializer_list<const float*> from, SelectWords& words,
                              Value value) {
  for (auto i = begin; i < end; i += kSelectBits) {
    for (const float* x : from) fetch_ahead(x + i);
    words[static_cast<std::size_t>((i - begin) / kSelectBits)] =
        compare_word(std::min(kSelectBits, end - i), [&](auto d, std::int64_t b) {
          const hn::RebindToSigned<decltype(d)> bits;
          const auto magnitude =
              hn::And(hn::BitCast(bits, value(d, i + b)), hn::Set(bits, kMagnitude));
          const auto below = hn::Set(bits, static_cast<std::int32_t>(threshold) - 1);
          return hn::RebindMask(d, hn::Gt(magnitude, below));
        });
  }
}

}  // namespace

void mark_at_level(std::int64_t begin, std::int64_t end, std::uint32_t threshold, const float* x,
                   SelectWords& words) {
  mark_reaching(begin, end, threshold, {x}, words,
                [=](auto d, std::int64_t i) { return hn::LoadU(d, x + i); });
}

// Sets x = keep x + g and marks its values in the same pass.
void accumulate_and_mark_at_level(std::int64_t begin, std::int64_t end, std::uint32_t threshold,
                                  const float* g, float keep, float* x, SelectWords& words) {
  mark_reaching(begin, end, threshold, {g, x}, words, [=](auto d, std::int64_t i) {
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
HWY_EXPORT(accumulate_and_mark_at_level);

namespace {

// The magnitude bits of x; NaN counts as infinity.
std::uint32_t magnitude_of(float x) {
  return std::min(std::bit_cast<std::uint32_t>(x) & kMagnitude, kInfinity);
}

// Samples the magnitudes of cache lines of 16 floats: one value in 256 of 262144 to 8.4 million
// values, otherwise 1024 (fewer values) or 32768 (more). The tensor is cut into as many segments as
// there are lines, and the line of a segment is chosen by Knuth's multiplicative hash. At even
// distances, periodic values would give a sample that does not represent them.
template <class Magnitude>
void take_sample(std::int64_t n, Magnitude magnitude, std::vector<std::uint32_t>& sample) {
  constexpr std::int64_t kLine = 16, kFewest = 64, kMost = 2048;
  const auto lines = std::clamp(n / (256 * kLine), kFewest, kMost);
  const auto stride = n / (lines * kLine);
  sample.resize(static_cast<std::size_t>(lines * kLine));
  for (std::int64_t line = 0; line < lines; ++line) {
    const auto shift =
        static_cast<std::int64_t>(static_cast<std::uint32_t>(line) * 2654435761U >> 8);
    const auto begin = (line * stride + shift % stride) * kLine;
    const auto to = std::span(sample).subspan(static_cast<std::size_t>(line * kLine), kLine);
    for (std::int64_t i = 0; i < kLine; ++i) to[static_cast<std::size_t>(i)] = magnitude(begin + i);
  }
}

// Returns the n-th largest sort key (n = 0: the largest). for_each(body) calls body with every sort
// key; its upper half is a magnitude. A histogram of at most 2048 bins between the smallest and the
// largest magnitude finds the bin with the n-th largest; only that bin is searched (one step of
// radix select).
template <class ForEach>
std::uint64_t nth_largest(ForEach for_each, std::int64_t n, std::vector<std::uint64_t>& scratch) {
  constexpr int kBits = 11;
  const auto upper_half = [](std::uint64_t sort_key) {
    return static_cast<std::uint32_t>(sort_key >> 32);
  };
  std::uint32_t smallest = kInfinity, largest = 0;
  for_each([&](std::uint64_t sort_key) {
    smallest = std::min(smallest, upper_half(sort_key));
    largest = std::max(largest, upper_half(sort_key));
  });
  const int shift = std::max(0, static_cast<int>(std::bit_width(largest - smallest)) - kBits);
  const auto bin_of = [=](std::uint64_t sort_key) {
    return (upper_half(sort_key) - smallest) >> shift;
  };
  std::array<std::int64_t, 1 << kBits> sizes{};
  for_each([&](std::uint64_t sort_key) { ++sizes[bin_of(sort_key)]; });
  auto bin = sizes.size() - 1;
  for (; n >= sizes[bin]; --bin) n -= sizes[bin];
  scratch.clear();
  for_each([&](std::uint64_t sort_key) {
    if (bin_of(sort_key) == bin) scratch.push_back(sort_key);
  });
  std::nth_element(scratch.begin(), scratch.begin() + n, scratch.end(), std::greater<>());
  return scratch[static_cast<std::size_t>(n)];
}

}  // namespace

void magnitude_bits(std::span<const float> x, std::span<std::uint32_t> bits) {
  vectorized_for(std::ssize(x), kGrain,
                 [from = x.data(), to = bits.data()](std::int64_t begin, std::int64_t end) {
                   for (auto i = begin; i < end; ++i) to[i] = magnitude_of(from[i]);
                 });
}

// Magnitude and index as one number: the larger of two sort keys has the larger magnitude, or if
// the magnitudes are equal, the lower index.
std::uint64_t LargestSelector::Candidate::sort_key() const {
  return std::uint64_t{magnitude_of(std::bit_cast<float>(bits))} << 32 | ~index;
}

template <class Body>
void LargestSelector::for_each_candidate(Body body) const {
  for (std::size_t p = 0; p < pieces_used_; ++p) {
    for (const auto candidate : candidates_[p]) body(candidate);
  }
}

// Collects at least k candidates, the k largest values among them. search(threshold) collects the
// values that reach a threshold from the sample. If fewer than k do, the threshold is lowered to
// one that twice as many sampled values reach, and search_again collects anew.
template <class Magnitude, class Search, class SearchAgain>
void LargestSelector::find_candidates(std::int64_t n, std::int64_t k, Magnitude magnitude,
                                      Search search, SearchAgain search_again) {
  constexpr std::int64_t kSmall = 1 << 13;
  std::int64_t nth = 0;
  sample_.clear();  // no sample: all values are candidates
  if (n >= kSmall && k < n / 8) {
    take_sample(n, magnitude, sample_);
    const double expected =
        static_cast<double>(k) * static_cast<double>(sample_.size()) / static_cast<double>(n);
    nth = static_cast<std::int64_t>(expected + 3 * std::sqrt(expected) + 4);
  }
  const auto nth_of_sample = [&](std::int64_t number) -> std::uint32_t {
    if (number >= std::ssize(sample_)) return 0;
    const auto for_each_sort_key = [&](auto body) {
      for (const auto sampled : sample_) body(std::uint64_t{sampled} << 32);
    };
    return static_cast<std::uint32_t>(nth_largest(for_each_sort_key, number, scratch_) >> 32);
  };
  const auto count = [&] {
    std::int64_t candidates = 0;
    for (std::size_t p = 0; p < pieces_used_; ++p) candidates += std::ssize(candidates_[p]);
    return candidates;
  };
  pieces_used_ = search(nth_of_sample(nth));
  while (count() < k) pieces_used_ = search_again(nth_of_sample(nth *= 2));
}

// Keeps the k largest candidates and calls drop(candidate) for the others. The loop has no branch
// on `largest`, which would often be mispredicted.
template <class Drop>
void LargestSelector::keep_largest(std::int64_t k, Drop drop) {
  const auto for_each_sort_key = [&](auto body) {
    for_each_candidate([&](Candidate candidate) { body(candidate.sort_key()); });
  };
  const auto last = k == 0 ? ~std::uint64_t{0} : nth_largest(for_each_sort_key, k - 1, scratch_);
  for (std::size_t p = 0; p < pieces_used_; ++p) {
    auto& piece = candidates_[p];
    dropped_.resize(std::max(dropped_.size(), piece.size()));
    std::size_t kept = 0, dropped = 0;
    for (const auto candidate : piece) {
      const bool largest = candidate.sort_key() >= last;
      piece[kept] = candidate;
      dropped_[dropped] = candidate;
      kept += largest;
      dropped += !largest;
    }
    piece.resize(kept);
    for (std::size_t d = 0; d < dropped; ++d) drop(dropped_[d]);
  }
}

void LargestSelector::write(std::uint32_t first, std::span<std::uint32_t> indices,
                            std::span<float> values) const {
  std::size_t entry = 0;
  for_each_candidate([&](Candidate candidate) {
    indices[entry] = first + candidate.index;
    values[entry++] = std::bit_cast<float>(candidate.bits);
  });
}

void LargestSelector::select(std::span<const float> x, std::uint32_t first,
                             std::span<std::uint32_t> indices, std::span<float> values) {
  const auto k = std::ssize(indices);
  const float* from = x.data();
  const auto make_candidate = [from](std::int64_t i) {
    return Candidate{std::bit_cast<std::uint32_t>(from[i]), static_cast<std::uint32_t>(i)};
  };
  const auto search = [&](std::uint32_t threshold) {
    const auto mark = [=](auto begin, auto end, auto& words) {
      TERSE_DISPATCH(mark_at_level)(begin, end, threshold, from, words);
    };
    return find_marked(std::ssize(x), mark, make_candidate, candidates_);
  };
  const auto magnitude = [from](std::int64_t i) { return magnitude_of(from[i]); };
  find_candidates(std::ssize(x), k, magnitude, search, search);
  keep_largest(k, [](Candidate) {});
  write(first, indices, values);
}

void LargestSelector::select(std::span<const std::uint32_t> magnitudes,
                             std::span<std::uint32_t> indices) {
  const auto k = std::ssize(indices);
  const std::uint32_t* from = magnitudes.data();
  const auto make_candidate = [from](std::int64_t i) {
    return Candidate{from[i], static_cast<std::uint32_t>(i)};
  };
  const auto search = [&](std::uint32_t threshold) {
    const auto mark = [=](auto begin, auto end, auto& words) {
      vectorized(
          [=, &words](std::int64_t first, std::int64_t stop) {
            mark_where(
                first, stop, [=](std::int64_t i) { return from[i] >= threshold; }, words);
          },
          begin, end);
    };
    return find_marked(std::ssize(magnitudes), mark, make_candidate, candidates_);
  };
  const auto magnitude = [from](std::int64_t i) { return from[i]; };
  find_candidates(std::ssize(magnitudes), k, magnitude, search, search);
  keep_largest(k, [](Candidate) {});
  std::size_t entry = 0;
  for_each_candidate([&](Candidate largest) { indices[entry++] = largest.index; });
}

void LargestSelector::accumulate_and_select(std::span<const float> g, float keep,
                                            std::span<float> x, bool remove_selected,
                                            std::uint32_t first, std::span<std::uint32_t> indices,
                                            std::span<float> values) {
  const auto k = std::ssize(indices);
  internal_check(g.size() == x.size(),
                 "select: expected one gradient value per residual value; got {} and {}", g.size(),
                 x.size());
  const float* from = g.data();
  float* to = x.data();
  // With `remove_selected`, x_i becomes 0 for the k selected i. Writing that at the end would be k
  // cache misses. Therefore the search sets x_i to 0 as soon as i is a candidate, while x_i is in
  // the cache. There are more candidates than k, but a candidate holds the bits of x_i, so
  // `restore` can write them back:
  //   - for all candidates before another search, which must read the true x
  //   - at the end, for the candidates that are not among the k largest
  const auto make_candidate = [=](std::int64_t i) {
    const Candidate candidate{std::bit_cast<std::uint32_t>(to[i]), static_cast<std::uint32_t>(i)};
    if (remove_selected) to[i] -= to[i];  // 0, or NaN if x_i is not finite
    return candidate;
  };
  const auto restore = [=](Candidate candidate) {
    if (remove_selected) to[candidate.index] = std::bit_cast<float>(candidate.bits);
  };
  const auto search = [&](std::uint32_t threshold) {  // sets x = keep x + g in the same pass
    const auto mark = [=](auto begin, auto end, auto& words) {
      TERSE_DISPATCH(accumulate_and_mark_at_level)(begin, end, threshold, from, keep, to, words);
    };
    return find_marked(std::ssize(x), mark, make_candidate, candidates_);
  };
  const auto search_again = [&](std::uint32_t threshold) {
    for_each_candidate(restore);
    const auto mark = [=](auto begin, auto end, auto& words) {
      TERSE_DISPATCH(mark_at_level)(begin, end, threshold, to, words);
    };
    return find_marked(std::ssize(x), mark, make_candidate, candidates_);
  };
  const auto magnitude = [=](std::int64_t i) { return magnitude_of(keep * to[i] + from[i]); };
  find_candidates(std::ssize(x), k, magnitude, search, search_again);
  keep_largest(k, restore);
  write(first, indices, values);
}

}  // namespace terse::kernels
#endif
