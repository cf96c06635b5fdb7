#include "tersegrad/optim/kernels/elias.hpp"

#include <algorithm>
#include <bit>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/simd/vectorized.hpp"
#include "tersegrad/optim/kernels/bits.hpp"
#include "tersegrad/optim/kernels/levels.hpp"

namespace terse::kernels {
namespace {

constexpr int kMostDigits = 40;  // maximum binary digits of a coded number; no distance has more

class BitWriter {
 public:
  explicit BitWriter(std::vector<std::uint32_t>& words) : words_(words) {}

  void put(BitString string) {
    while (string.size > 0) {
      const int taken = std::min(string.size, 32);
      waiting_ |= (string.bits & ((std::uint64_t{1} << taken) - 1)) << count_;
      count_ += taken;
      string.bits >>= taken;
      string.size -= taken;
      if (count_ >= 32) flush();
    }
  }
  void finish() {
    if (count_ > 0) flush();
  }

 private:
  void flush() {
    words_.push_back(static_cast<std::uint32_t>(waiting_));
    waiting_ >>= 32;
    count_ = std::max(0, count_ - 32);
  }

  std::vector<std::uint32_t>& words_;
  std::uint64_t waiting_ = 0;
  int count_ = 0;  // bits in waiting_; below 32 between calls
};

class BitReader {
 public:
  explicit BitReader(std::span<const std::uint32_t> words) : words_(words) {}

  std::uint32_t bit() {
    const auto word = static_cast<std::size_t>(at_ / kWordBits);
    check<PacketError>(word < words_.size(),
                       "packet: expected the end of the bitstream within {} words", words_.size());
    return words_[word] >> (at_++ % kWordBits) & 1U;
  }
  std::uint64_t number() {
    std::uint64_t k = 1;
    while (bit() == 1) {
      check<PacketError>(k < kMostDigits,
                         "packet: expected a number of at most {} bits in the bitstream; got {}",
                         kMostDigits, k + 1);
      const auto digits = k;
      k = 1;
      for (std::uint64_t i = 0; i < digits; ++i) k = k << 1 | bit();
    }
    return k;
  }
  // Throws PacketError unless all words are read and the unused bits of the last one are zero.
  void finish() const {
    check<PacketError>(words_for(at_) == std::ssize(words_),
                       "packet: expected {} words for a bitstream of {} bits; got {}",
                       words_for(at_), at_, words_.size());
    check<PacketError>(at_ % kWordBits == 0 || words_.back() >> (at_ % kWordBits) == 0,
                       "packet: expected zeros after the {} bits of the bitstream", at_);
  }

 private:
  std::span<const std::uint32_t> words_;
  std::int64_t at_ = 0;
};

}  // namespace

BitString omega(std::uint64_t k) {
  BitString text{.bits = 0, .size = 1};
  while (k > 1) {
    const auto digits = static_cast<int>(std::bit_width(k));
    for (int i = 0; i < digits; ++i) text.bits = text.bits << 1 | (k >> i & 1U);
    text.size += digits;
    k = static_cast<std::uint64_t>(digits - 1);
  }
  return text;
}

void elias_encode(std::span<const std::uint8_t> codes, int levels,
                  std::vector<std::uint32_t>& words) {
  if (codes.empty()) return;
  // The loop is scalar; `vectorized` makes BMI instructions available, which have faster shifts.
  vectorized([&] {
    const int sign_bit = level_bits(levels), mask = (1 << sign_bit) - 1;
    BitWriter out(words);
    std::int64_t before = -1;
    for (std::int64_t i = 0; i < std::ssize(codes); ++i) {
      const int level = codes[i] & mask;
      if (level == 0) continue;
      out.put(omega(static_cast<std::uint64_t>(i - before)));
      out.put({.bits = static_cast<std::uint64_t>(codes[i] >> sign_bit), .size = 1});
      out.put(omega(static_cast<std::uint64_t>(level)));
      before = i;
    }
    out.put(omega(static_cast<std::uint64_t>(std::ssize(codes) - before)));
    out.finish();
  });
}

void elias_decode(std::span<const std::uint32_t> words, int levels, std::span<std::uint8_t> codes) {
  std::ranges::fill(codes, std::uint8_t{0});
  BitReader in(words);
  const auto n = codes.size();
  std::uint64_t end = 0;  // one past the index of the last nonzero level
  while (n > 0) {
    end += in.number();
    check<PacketError>(end <= n + 1, "packet: expected levels at indices below {}; got index {}", n,
                       end - 1);
    if (end == n + 1) break;
    const auto sign = in.bit();
    const auto level = in.number();
    check<PacketError>(level <= static_cast<std::uint64_t>(levels),
                       "packet: expected levels of at most {}; got {}", levels, level);
    codes[end - 1] = static_cast<std::uint8_t>(level | sign << level_bits(levels));
  }
  in.finish();
}

}  // namespace terse::kernels
