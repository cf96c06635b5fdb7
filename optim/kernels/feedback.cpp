#include "optim/kernels/feedback.hpp"

#include <array>
#include <cmath>

#include "core/error.hpp"
#include "optim/kernels/bits.hpp"

namespace terse::codec {
namespace {

float without_signs(float owed, float e) {
  return e - (e < 0 ? -owed : owed);
}

// The values of one piece, and the sum of their magnitudes: as norm1 adds a piece.
double feed_back(const float* g, float keep, float owed, float* e, std::int64_t n) {
  constexpr std::int64_t kLanes = 8;
  std::array<double, kLanes> lanes{};
  const auto next = [&](std::int64_t i) {
    const float value = keep * without_signs(owed, e[i]) + g[i];
    e[i] = value;
    return std::abs(value);
  };
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += next(i + lane);
  }
  double sum = 0;
  for (; i < n; ++i) sum += next(i);
  for (const double lane : lanes) sum += lane;
  return sum;
}

}  // namespace

double feed_back_signs(std::span<const float> g, float keep, float owed, std::span<float> e,
                       std::int64_t at, std::span<std::uint32_t> plane) {
  internal_check(g.size() == e.size(), "codec: {} values meet {}", g.size(), e.size());
  const auto n = std::ssize(e);
  // A piece packs the words that are its own while its values are in the cache; the bits of words
  // that it shares with a neighbour, or with another tensor, follow one after the other.
  const auto own_words = [&](std::int64_t begin, std::int64_t end) {
    return std::pair(words_for(at + begin),
                     std::max(words_for(at + begin), (at + end) / kWordBits));
  };
  const double sum = parallel_sum(n, kGrain, [&](std::int64_t begin, std::int64_t end) {
    const double part = feed_back(g.data() + begin, keep, owed, e.data() + begin, end - begin);
    const auto [first, last] = own_words(begin, end);
    for (auto w = first; w < last; ++w) {
      plane[w] = negative_bits(e.data() + w * kWordBits - at);
    }
    return part;
  });
  const auto set_bits = [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      plane[(at + i) / kWordBits] |= std::uint32_t{e[i] < 0} << ((at + i) % kWordBits);
    }
  };
  for (std::int64_t begin = 0; begin < n; begin += kGrain) {
    const auto end = std::min(n, begin + kGrain);
    const auto [first, last] = own_words(begin, end);
    const auto head = std::min(end, first * kWordBits - at);
    set_bits(begin, head);
    set_bits(std::max(head, last * kWordBits - at), end);
  }
  return sum;
}

void subtract_signs(float owed, std::span<float> e) {
  parallel_for(std::ssize(e), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      e[i] = without_signs(owed, e[i]);
    }
  });
}

}  // namespace terse::codec
