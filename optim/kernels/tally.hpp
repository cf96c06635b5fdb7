// Votes counted as integers, many coordinates at once: a count is kept as bits, bit p of all counts
// together in plane p, and adding a vote is a ripple of carries (carry-save counting).
#pragma once

#include <array>
#include <cstdint>

namespace terse::codec {

inline constexpr int kTallyWords = 64;   // 2048 coordinates in one block
inline constexpr int kTallyPlanes = 16;  // counts up to 65535
using TallyBlock = std::array<std::uint32_t, kTallyWords>;

class Tally {
 public:
  void add(const TallyBlock& votes) {
    TallyBlock carry = votes;
    for (int p = 0; p < used_; ++p) {
      for (int w = 0; w < kTallyWords; ++w) {
        const auto overflow = planes_[p][w] & carry[w];
        planes_[p][w] ^= carry[w];
        carry[w] = overflow;
      }
    }
    grow(carry);
  }

  // Bit p of all counts; zeros above the highest that is set.
  const TallyBlock& plane(int p) const { return planes_[p]; }

  // Bits: this count > the other, and this count == the other.
  void compare(const Tally& other, TallyBlock& greater, TallyBlock& equal) const {
    greater.fill(0);
    equal.fill(~std::uint32_t{0});
    for (int p = kTallyPlanes - 1; p >= 0; --p) {
      if (p >= used_ && p >= other.used_) continue;
      for (int w = 0; w < kTallyWords; ++w) {
        greater[w] |= equal[w] & planes_[p][w] & ~other.planes_[p][w];
        equal[w] &= ~(planes_[p][w] ^ other.planes_[p][w]);
      }
    }
  }

 private:
  // A plane more, if the carry left over anywhere is not zero.
  void grow(const TallyBlock& carry) {
    std::uint32_t any = 0;
    for (const auto word : carry) any |= word;
    if (any != 0) planes_[used_++] = carry;
  }

  std::array<TallyBlock, kTallyPlanes> planes_{};
  int used_ = 0;
};

}  // namespace terse::codec
