#include "tersegrad/optim/kernels/sample.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <span>

namespace terse::kernels {
namespace {

// The draws of Philox::below from the beginning of a stream, whose words are computed many at a
// time. The remainder below which a value is rejected is less than the bound, so that hardly any
// value needs it.
class BulkDraws {
 public:
  // `expected` draws are about to be made, so that no more words than those need are computed.
  BulkDraws(const Philox& stream, std::int64_t expected)
      : stream_(stream), expected_words_(2 * static_cast<std::uint64_t>(expected)) {}

  std::uint64_t below(std::uint64_t bound) {
    for (;;) {
      const std::uint64_t high = next();
      const std::uint64_t value = (high << 32) | next();
      if (value >= bound || value >= (0 - bound) % bound) return value % bound;
    }
  }

 private:
  static constexpr std::uint64_t kEight = 32;  // words of eight blocks

  std::uint32_t next() {
    if (position_ == end_) compute();
    const auto word = position_++ - begin_;
    return words_[word / kEight][8 * (word % 4) + word % kEight / 4];
  }
  void compute() {
    begin_ = end_;
    const auto left = expected_words_ > begin_ ? expected_words_ - begin_ : 1;
    const auto eights = std::min<std::uint64_t>(words_.size(), (left + kEight - 1) / kEight);
    stream_.blocks(begin_ / 4, std::span(words_).first(eights));
    end_ = begin_ + eights * kEight;
  }

  const Philox& stream_;
  std::uint64_t expected_words_;
  std::uint64_t begin_ = 0, end_ = 0, position_ = 0;  // in the stream: of words_, and of the next
  std::array<Philox::EightBlocks, 16> words_;
};

// Writes the members of the set in ascending order. Most words have few, but how many cannot be
// predicted: so kAtOnce entries are written whatever a word has, as long as there is room.
void list_members(std::span<const std::uint64_t> set, std::span<std::uint32_t> members) {
  constexpr int kAtOnce = 4;
  auto* to = members.data();
  const auto* const end = to + members.size();
  for (std::size_t w = 0; w < set.size(); ++w) {
    auto word = set[w];
    const auto write = [&](int i) {
      to[i] = static_cast<std::uint32_t>(64 * w + static_cast<std::size_t>(std::countr_zero(word)));
      word &= word - 1;
    };
    const int count = std::popcount(word);
    if (end - to >= count + kAtOnce) {
      for (int i = 0; i < kAtOnce; ++i) write(i);
      for (int i = kAtOnce; i < count; ++i) write(i);
    } else {
      for (int i = 0; i < count; ++i) write(i);
    }
    to += count;
  }
}

}  // namespace

Buffer<std::uint32_t> sample(std::int64_t n, std::int64_t k, const Philox& random) {
  Buffer<std::uint64_t> chosen((n + 63) / 64);  // a set of n bits
  std::ranges::fill(chosen.span(), 0U);
  const auto is_chosen = [&](std::int64_t i) { return (chosen[i / 64] >> (i % 64) & 1U) != 0; };
  BulkDraws draws(random, k);
  for (std::int64_t last = n - k; last < n; ++last) {
    auto pick = static_cast<std::int64_t>(draws.below(static_cast<std::uint64_t>(last) + 1));
    if (is_chosen(pick)) pick = last;
    chosen[pick / 64] |= std::uint64_t{1} << (pick % 64);
  }
  Buffer<std::uint32_t> indices(k);
  list_members(chosen.span(), indices.span());
  return indices;
}

}  // namespace terse::kernels
