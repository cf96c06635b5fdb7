#include "tersegrad/optim/kernels/feedback.hpp"

#include <array>
#include <cmath>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/simd/vectorized.hpp"
#include "tersegrad/optim/kernels/bits.hpp"

namespace terse::kernels {
namespace {

float without_signs(float pending, float e) {
  return e - (e < 0 ? -pending : pending);
}

// Packs the signs of n values, x[i] at bit at + i, and returns the sum of term(i), added in the
// order of norm1. term(i) may change x[i]. Values are packed while they are in the L1 cache. Each
// piece of the parallel loop writes the words that belong to it alone (own_words). Words that it
// shares with the neighbouring piece or with another tensor are written bit by bit after the
// parallel loop (set_bits). For example with at = 5, the values 0 to 26 share a word with the
// tensor before.
template <class Term>
double pack_and_sum(const float* x, std::int64_t n, std::int64_t at, std::span<std::uint32_t> plane,
                    Term term) {
  constexpr std::int64_t kBlock = 1024;
  const auto own_words = [&](std::int64_t begin, std::int64_t end) {
    return std::pair(words_for(at + begin),
                     std::max(words_for(at + begin), (at + end) / kWordBits));
  };
  const double total = vectorized_sum(n, kGrain, [=](std::int64_t begin, std::int64_t end) {
    LaneSum sum;
    auto [w, last] = own_words(begin, end);
    for (; begin < end; begin += kBlock) {
      const auto stop = std::min(begin + kBlock, end);
      sum.add(begin, stop, term);
      for (; w < std::min(last, (at + stop) / kWordBits); ++w) {
        plane[w] = negative_bits(x + w * kWordBits - at);
      }
    }
    return sum.total();
  });
  const auto set_bits = [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      plane[(at + i) / kWordBits] |= std::uint32_t{x[i] < 0} << ((at + i) % kWordBits);
    }
  };
  for (std::int64_t begin = 0; begin < n; begin += kGrain) {
    const auto end = std::min(n, begin + kGrain);
    const auto [first, last] = own_words(begin, end);
    const auto head = std::min(end, first * kWordBits - at);
    set_bits(begin, head);
    set_bits(std::max(head, last * kWordBits - at), end);
  }
  return total;
}

}  // namespace

double pack_signs(std::span<const float> x, std::int64_t at, std::span<std::uint32_t> plane) {
  return pack_and_sum(x.data(), std::ssize(x), at, plane,
                      [p = x.data()](std::int64_t i) { return std::abs(double{p[i]}); });
}

double feed_back_signs(std::span<const float> g, float keep, float pending, std::span<float> e,
                       std::int64_t at, std::span<std::uint32_t> plane) {
  internal_check(g.size() == e.size(),
                 "kernels: expected vectors of equal size; got {} and {} values", g.size(),
                 e.size());
  const float* from = g.data();
  float* to = e.data();
  return pack_and_sum(to, std::ssize(e), at, plane, [=](std::int64_t i) {
    const float value = keep * without_signs(pending, to[i]) + from[i];
    to[i] = value;
    return std::abs(double{value});
  });
}

void subtract_signs(float pending, std::span<float> e) {
  vectorized_for(std::ssize(e), kGrain,
                 [pending, to = e.data()](std::int64_t begin, std::int64_t end) {
                   for (auto i = begin; i < end; ++i) to[i] = without_signs(pending, to[i]);
                 });
}

}  // namespace terse::kernels
