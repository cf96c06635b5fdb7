#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tersegrad/core/random.cpp"
#include <hwy/foreach_target.h>

#include "tersegrad/core/random.hpp"

#include <cmath>
#include <numbers>
#include <utility>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/simd/dispatch.hpp"
#include "tersegrad/core/simd/lanes-inl.hpp"

#ifndef TERSE_CORE_RANDOM_ONCE  // compiled once, not for each level
#define TERSE_CORE_RANDOM_ONCE
namespace terse {
namespace {

constexpr int kRounds = 10;
constexpr std::uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;

using RoundKeys = std::array<std::array<std::uint32_t, 2>, kRounds>;

}  // namespace
}  // namespace terse
#endif

HWY_BEFORE_NAMESPACE();
namespace terse::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr hn::CappedTag<std::uint32_t, 8> kLanes;
constexpr hn::Repartition<std::uint64_t, decltype(kLanes)> kPairs;
using Vector = hn::Vec<decltype(kLanes)>;

struct Product {
  Vector high, low;
};

// The full 64-bit products of all lanes. Highway multiplies even lanes only, so odd lanes
// are shifted.
HWY_INLINE Product multiply(Vector x, Vector multiplier) {
  const Vector x_odd = hn::BitCast(kLanes, hn::ShiftRight<32>(hn::BitCast(kPairs, x)));
  const auto even = hn::MulEven(x, multiplier), odd = hn::MulEven(x_odd, multiplier);
  return {hn::OddEven(hn::BitCast(kLanes, odd), hn::BitCast(kLanes, hn::ShiftRight<32>(even))),
          hn::OddEven(hn::BitCast(kLanes, hn::ShiftLeft<32>(odd)), hn::BitCast(kLanes, even))};
}

// Computes 8 · kEights blocks. A block occupies one lane of four vectors, one for each word.
// Several vectors of each word are computed together to hide latency.
template <std::size_t kEights>
void write_eights(const std::array<std::uint32_t, 4>& counter, const RoundKeys& keys,
                  std::uint64_t first, Philox::EightBlocks* eights) {
  constexpr std::size_t kWidth = hn::MaxLanes(kLanes), kVectors = 8 * kEights / kWidth;
  const Vector multiplier0 = hn::Set(kLanes, kMultiplier0);
  const Vector multiplier1 = hn::Set(kLanes, kMultiplier1);
  Vector x[4][kVectors];
  for (std::size_t v = 0; v < kVectors; ++v) {
    x[0][v] = hn::Iota(kLanes, static_cast<std::uint32_t>(first + v * kWidth));
    for (int w = 1; w < 4; ++w) x[w][v] = hn::Set(kLanes, counter[w]);
  }
  const auto mix = [&](const std::array<std::uint32_t, 2>& key) {
    const Vector key0 = hn::Set(kLanes, key[0]), key1 = hn::Set(kLanes, key[1]);
    for (std::size_t v = 0; v < kVectors; ++v) {
      const auto product0 = multiply(x[0][v], multiplier0);
      const auto product1 = multiply(x[2][v], multiplier1);
      x[0][v] = hn::Xor(product1.high, hn::Xor(x[1][v], key0));
      x[1][v] = product1.low;
      x[2][v] = hn::Xor(product0.high, hn::Xor(x[3][v], key1));
      x[3][v] = product0.low;
    }
  };
  // Unrolled, so that the exchange of words renames registers instead of moving values.
  const auto mix_all = [&]<std::size_t... round>(std::index_sequence<round...>) {
    (mix(keys[round]), ...);
  };
  mix_all(std::make_index_sequence<kRounds>());
  for (std::size_t v = 0; v < kVectors; ++v) {
    const auto block = v * kWidth;
    for (std::size_t w = 0; w < 4; ++w) {
      hn::StoreU(x[w][v], kLanes, eights[block / 8].data() + 8 * w + block % 8);
    }
  }
}

}  // namespace

void blocks_at_level(const std::array<std::uint32_t, 4>& counter, const RoundKeys& keys,
                     std::uint64_t first, std::span<Philox::EightBlocks> eights) {
  constexpr std::size_t kTogether = hn::MaxLanes(kLanes) / 2;  // in four vectors for each word
  std::size_t e = 0;
  for (; e + kTogether <= eights.size(); e += kTogether) {
    write_eights<kTogether>(counter, keys, first + 8 * e, eights.data() + e);
  }
  for (; e < eights.size(); ++e) write_eights<1>(counter, keys, first + 8 * e, eights.data() + e);
}

}  // namespace terse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace terse {

HWY_EXPORT(blocks_at_level);

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t product0 = std::uint64_t{kMultiplier0} * counter[0];
    const std::uint64_t product1 = std::uint64_t{kMultiplier1} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<std::uint32_t>(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

Philox::Philox(std::uint64_t seed, Stream stream)
    : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
      counter_{0, stream.tensor, stream.step,
               (static_cast<std::uint32_t>(stream.purpose) << 24) | stream.worker} {
  check(stream.worker < (1U << 24), "Philox: worker must be below 2^24; got {}", stream.worker);
}

std::uint32_t Philox::at(std::uint64_t position) const {
  internal_check(position < (1ULL << 34), "Philox: position {} is beyond the stream", position);
  auto counter = counter_;
  counter[0] = static_cast<std::uint32_t>(position / 4);
  return philox4x32(counter, key_)[position % 4];
}

void Philox::blocks(std::uint64_t first, std::span<EightBlocks> eights) const {
  internal_check(first + 8 * eights.size() <= (1ULL << 32), "Philox: block {} is beyond the stream",
                 first + 8 * eights.size() - 1);
  RoundKeys keys;
  auto key = key_;
  for (auto& round : keys) {
    round = key;
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  TERSE_DISPATCH(blocks_at_level)(counter_, keys, first, eights);
}

void Philox::seek(std::uint64_t position) {
  position_ = position - position % 4;
  while (position_ < position) next();
}

std::uint32_t Philox::next() {
  if (position_ % 4 == 0) {
    internal_check(position_ < (1ULL << 34), "Philox: the stream is exhausted after 2^34 words");
    counter_[0] = static_cast<std::uint32_t>(position_ / 4);
    block_ = philox4x32(counter_, key_);
  }
  return block_[position_++ % 4];
}

float Philox::uniform() {
  return static_cast<float>(next() >> 8) * 0x1p-24F;
}

double Philox::uniform_double() {
  const std::uint64_t high = next();
  return static_cast<double>((high << 21) ^ (next() >> 11)) * 0x1p-53;
}

float Philox::normal() {
  const double radius = std::sqrt(-2.0 * std::log((next() + 1.0) * 0x1p-32));
  return static_cast<float>(radius * std::cos(2.0 * std::numbers::pi * (next() * 0x1p-32)));
}

std::uint64_t Philox::below(std::uint64_t bound) {
  internal_check(bound > 0, "Philox::below: bound must be positive");
  // Values below 2^64 mod bound would make some results more likely than others: they are rejected.
  const std::uint64_t reject = (0 - bound) % bound;
  for (;;) {
    const std::uint64_t high = next();
    const std::uint64_t value = (high << 32) | next();
    if (value >= reject) return value % bound;
  }
}

}  // namespace terse
#endif
