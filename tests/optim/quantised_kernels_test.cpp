// Kernels of the quantisers against naive implementations.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/kernels/bit_fields.hpp"
#include "tersegrad/optim/kernels/bits.hpp"
#include "tersegrad/optim/kernels/draws.hpp"
#include "tersegrad/optim/kernels/elias.hpp"
#include "tersegrad/optim/kernels/levels.hpp"

namespace terse {
namespace {

std::vector<std::uint8_t> random_codes(std::size_t n, int bits, std::uint32_t draw) {
  Philox random(13, {.step = draw});
  std::vector<std::uint8_t> codes(n);
  for (auto& code : codes) code = static_cast<std::uint8_t>(random.below(1U << bits));
  return codes;
}

TEST(BitFields, AreBitsOneAfterTheOther) {
  for (int bits = 1; bits <= 8; ++bits) {
    for (const std::size_t n : {0, 1, 7, 8, 9, 31, 32, 33, 100, 70001}) {
      const auto codes = random_codes(n, bits, static_cast<std::uint32_t>(n));
      const auto size = static_cast<std::size_t>(kernels::words_for(std::ssize(codes) * bits));
      std::vector<std::uint32_t> words(size, 0xdeadbeef), expected(size);
      for (std::size_t i = 0; i < n * bits; ++i) {
        const auto bit = static_cast<std::uint32_t>(codes[i / bits] >> (i % bits) & 1);
        expected[i / 32] |= bit << (i % 32);
      }
      kernels::pack_fields(codes, bits, words);
      ASSERT_EQ(words, expected) << n << " fields of " << bits;
      std::vector<std::uint8_t> back(n, 0xff);
      kernels::unpack_fields(words, bits, back);
      ASSERT_EQ(back, codes) << n << " fields of " << bits;
    }
  }
}

std::string text_of(kernels::BitString string) {
  std::string text;
  for (int i = 0; i < string.size; ++i) text += (string.bits >> i & 1U) != 0 ? '1' : '0';
  return text;
}

// The codes from Elias' table.
TEST(Elias, OmegaCodes) {
  EXPECT_EQ(text_of(kernels::omega(1)), "0");
  EXPECT_EQ(text_of(kernels::omega(2)), "100");
  EXPECT_EQ(text_of(kernels::omega(3)), "110");
  EXPECT_EQ(text_of(kernels::omega(4)), "101000");
  EXPECT_EQ(text_of(kernels::omega(8)), "1110000");
  EXPECT_EQ(text_of(kernels::omega(16)), "10100100000");
  EXPECT_EQ(text_of(kernels::omega(100)), "1011011001000");
  EXPECT_EQ(text_of(kernels::omega(1'000'000)), "1010010011111101000010010000000");
}

TEST(Elias, ATextIsTheCodesAgain) {
  for (const int levels : {1, 5, 127}) {
    for (const std::size_t n : {0, 1, 2, 31, 32, 1000, 70000}) {
      for (const std::uint64_t rarity : {1, 3, 500}) {
        Philox random(17, {.step = static_cast<std::uint32_t>(n)});
        std::vector<std::uint8_t> codes(n);
        for (auto& code : codes) {
          if (random.below(rarity) != 0) continue;
          const auto level = 1 + random.below(levels), sign = random.below(2);
          code = static_cast<std::uint8_t>(level | sign << kernels::level_bits(levels));
        }
        std::vector<std::uint32_t> words;
        kernels::elias_encode(codes, levels, words);
        EXPECT_EQ(words.empty(), n == 0);
        std::vector<std::uint8_t> back(n, 0xff);
        kernels::elias_decode(words, levels, back);
        ASSERT_EQ(back, codes) << n << " levels of " << levels;
      }
    }
  }
}

TEST(Elias, WhatIsNoTextIsAPacketError) {
  std::vector<std::uint8_t> codes(40);
  const auto refused = [&](std::vector<std::uint32_t> words) {
    try {
      kernels::elias_decode(words, 3, codes);
    } catch (const PacketError&) {
      return true;
    }
    return false;
  };
  codes[39] = 3;
  std::vector<std::uint32_t> good;
  kernels::elias_encode(codes, 3, good);
  EXPECT_FALSE(refused(good));
  EXPECT_TRUE(refused({}));                    // no end marker
  EXPECT_TRUE(refused({0}));                   // 1, +, 1, 1, +, 1, …: no end marker either
  EXPECT_TRUE(refused({~0U, ~0U, ~0U, ~0U}));  // number with too many digits
  EXPECT_TRUE(refused({good[0] | 1U << 31}));  // bits after the end
  EXPECT_TRUE(refused({good[0], 0}));          // word after the end
  std::vector<std::uint32_t> above;
  codes[39] = 7;  // level 7 of 7
  kernels::elias_encode(codes, 7, above);
  EXPECT_TRUE(refused(above));
  std::vector<std::uint32_t> longer;
  kernels::elias_encode(std::vector<std::uint8_t>(41), 3, longer);
  EXPECT_TRUE(refused(longer));  // ends at 41 of 40
}

TEST(Draws, HaveThirtyTwoBitsForEveryValue) {
  const kernels::Draws draws(Philox(3, {.purpose = Purpose::compress}));
  kernels::Draws::Upper upper;
  std::array<double, 32> ones{};
  constexpr int kBlocks = 2000;
  for (std::int64_t block = 0; block < kBlocks; ++block) {
    draws.upper(64 * block, 64, upper);
    for (int i = 0; i < 64; ++i) {
      for (int bit = 0; bit < 16; ++bit) {
        ones[bit] += upper[i] >> bit & 1;
        ones[16 + bit] += draws.lower(64 * block + i) >> bit & 1;
      }
    }
  }
  const double n = 64.0 * kBlocks;
  for (const double count : ones) EXPECT_NEAR(count / n, 0.5, 5 * 0.5 / std::sqrt(n));
}

// By the definition, in double. 32 bits of the stream decide; draws.hpp defines which ones.
std::uint8_t exact_code(float x, const kernels::Levels& levels, const Philox& stream,
                        std::int64_t i) {
  const auto group = static_cast<std::uint64_t>(i / 64), j = static_cast<std::uint64_t>(i % 64);
  const auto upper = stream.at(4 * (8 * group + j % 8) + j / 8 % 4) >> (16 * (j / 32)) & 0xffffU;
  const double draw = upper * 65536.0 + kernels::Draws(stream).lower(i);
  const double most = std::min(levels.norm, levels.limit);
  const double level = std::min(std::abs(double{x}), most) * levels.levels / double{levels.norm};
  const auto code = static_cast<int>(level) + (draw < (level - std::floor(level)) * 0x1p32 ? 1 : 0);
  return static_cast<std::uint8_t>(code | std::signbit(x) << kernels::level_bits(levels.levels));
}

// Bit for bit: the kernel uses float only where its rounding cannot change the result.
TEST(Levels, AreThoseOfExactArithmetic) {
  constexpr std::int64_t kFirst = 128, kN = 200'033;
  Philox random(11, {});
  std::vector<float> shape(kN);
  for (auto& v : shape) v = random.normal() / 3;
  const Philox stream(12, {.purpose = Purpose::compress, .worker = 2, .step = 3, .tensor = 4});
  for (const int s : {1, 7, 100, 127}) {
    for (const float norm : {3e-44F, 1e-30F, 0.7F, 1.0F, 3e38F}) {
      for (const float share : {1.0F, 0.3F}) {
        const kernels::Levels levels{s, norm, share * norm};
        auto x = shape;
        for (auto& v : x) v *= norm;
        std::vector<std::uint8_t> codes(x.size());
        kernels::encode_levels(x, levels, kernels::Draws(stream), kFirst, codes);
        for (std::int64_t i = 0; i < kN; ++i) {
          ASSERT_EQ(codes[i], exact_code(x[i], levels, stream, kFirst + i))
              << x[i] << " of " << norm << ", " << s << " levels, value " << i;
        }
      }
    }
  }
}

TEST(Levels, AValueOnALevelStaysThere) {
  constexpr std::int64_t kN = 1 << 20;
  for (const int s : {1, 7, 97, 127}) {
    for (const float step : {0x1p-140F, 3.0F, 0.15625F, 1025.0F}) {
      std::vector<float> x(kN);
      for (std::int64_t i = 0; i < kN; ++i) x[i] = step * static_cast<float>(i % (s + 1));
      std::vector<std::uint8_t> codes(x.size());
      const float norm = step * static_cast<float>(s);
      kernels::encode_levels(x, {s, norm, norm}, kernels::Draws(Philox(5, {})), 0, codes);
      for (std::int64_t i = 0; i < kN; ++i) ASSERT_EQ(codes[i], i % (s + 1)) << s << ", " << step;
    }
  }
}

// The upper 16 bits of a draw cannot distinguish 3/4 of their last place from 0 or 1; the lower 16
// bits can.
TEST(Levels, ProbabilitiesBetweenTheUpperBitsAreKept) {
  constexpr std::int64_t kN = 1 << 22;
  constexpr std::uint32_t kStreams = 8;
  const double p = 0.75 / 65536;
  for (const double probability : {p, 1 - p}) {
    const std::vector<float> x(kN, static_cast<float>(probability));
    std::vector<std::uint8_t> codes(kN);
    double ups = 0;
    for (std::uint32_t tensor = 0; tensor < kStreams; ++tensor) {
      kernels::encode_levels(x, {1, 1, 1}, kernels::Draws(Philox(5, {.tensor = tensor})), 0, codes);
      ups = std::accumulate(codes.begin(), codes.end(), ups);
    }
    const double n = double{kN} * kStreams;
    EXPECT_NEAR(ups, n * double{x[0]}, 5 * std::sqrt(n * p)) << probability;  // 384 +- 98
  }
}

TEST(Levels, StayBelowTheNormWhateverComes) {
  using Limits = std::numeric_limits<float>;
  const std::vector<float> x{
      Limits::quiet_NaN(), Limits::infinity(), Limits::lowest(), 1e30F, 0, -0.0F, -1e-45F};
  std::vector<std::uint8_t> codes(x.size());
  for (const float norm : {1e-45F, 1e-40F, 1.0F, Limits::max()}) {
    kernels::encode_levels(x, {5, norm, norm}, kernels::Draws(Philox(5, {})), 0, codes);
    EXPECT_LE(kernels::largest_level(codes, 5), 5) << norm;
  }
  for (const float norm : {0.0F, Limits::infinity(), Limits::quiet_NaN()}) {
    kernels::encode_levels(x, {5, norm, norm}, kernels::Draws(Philox(5, {})), 0, codes);
    EXPECT_EQ(kernels::largest_level(codes, 5), 0) << norm;
  }
}

TEST(Levels, LargestMagnitudeTellsWhatIsNotFinite) {
  using Limits = std::numeric_limits<float>;
  EXPECT_EQ(kernels::largest_magnitude(std::vector<float>{}), 0);
  std::vector<float> x(100000, 0.5F);
  x[70000] = -3;
  EXPECT_EQ(kernels::largest_magnitude(x), 3);
  x[99999] = -Limits::infinity();
  EXPECT_EQ(kernels::largest_magnitude(x), Limits::infinity());
  x[0] = -Limits::quiet_NaN();
  EXPECT_TRUE(std::isnan(kernels::largest_magnitude(x)));
}

TEST(Bits, TernariesAreAddedAtAnyPlace) {
  Philox random(19, {});
  for (const std::int64_t at : {0, 5, 32}) {
    const std::int64_t n = 77;
    std::vector<std::uint32_t> some(kernels::words_for(at + n)), minus(some.size());
    for (auto& word : some) word = random.next();
    for (auto& word : minus) word = random.next();
    std::vector<float> out(n, 10);
    kernels::add_ternary(some, minus, at, 2, out);
    for (std::int64_t i = 0; i < n; ++i) {
      const auto bit = [&](const auto& plane) {
        return plane[(at + i) / 32] >> ((at + i) % 32) & 1;
      };
      ASSERT_EQ(out[i], bit(some) == 0 ? 10 : bit(minus) == 0 ? 12 : 8) << at << ", " << i;
    }
    kernels::add_ternary(some, minus, at, std::numeric_limits<float>::infinity(), out);
    for (std::int64_t i = 0; i < n; ++i) ASSERT_FALSE(std::isfinite(out[i]));
  }
}

}  // namespace
}  // namespace terse
