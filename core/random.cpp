#include "core/random.hpp"

#include <hwy/highway.h>

#include <cmath>
#include <numbers>

#include "core/error.hpp"

namespace terse {
namespace {

constexpr int kRounds = 10;
constexpr std::uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;

}  // namespace

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

// Every block has the low half of a 64-bit lane, where products find room; what is above it is
// never looked at. Two vectors are in flight: the even blocks and the odd ones.
void Philox::eight_blocks(std::uint64_t first, EightBlocks& words) const {
  internal_check(first + 8 <= (1ULL << 32), "Philox: block {} is beyond the stream", first + 7);
  namespace hn = hwy::HWY_NAMESPACE;
  constexpr hn::CappedTag<std::uint64_t, 4> wide;
  constexpr hn::Repartition<std::uint32_t, decltype(wide)> d;
  using Vector = hn::Vec<decltype(d)>;
  const Vector multiplier0 = hn::Set(d, kMultiplier0), multiplier1 = hn::Set(d, kMultiplier1);
  const auto twice = hn::ShiftLeft<1>(hn::Iota(wide, 0));
  for (std::size_t lane = 0; lane < 8; lane += 2 * hn::Lanes(wide)) {
    Vector x[4][2];
    for (std::size_t odd = 0; odd < 2; ++odd) {
      x[0][odd] = hn::BitCast(d, hn::Add(twice, hn::Set(wide, first + lane + odd)));
      for (int w = 1; w < 4; ++w) x[w][odd] = hn::Set(d, counter_[w]);
    }
    auto key = key_;
    for (int round = 0; round < kRounds; ++round) {
      const Vector key0 = hn::Set(d, key[0]), key1 = hn::Set(d, key[1]);
      for (int odd = 0; odd < 2; ++odd) {
        const auto product0 = hn::MulEven(multiplier0, x[0][odd]);
        const auto product1 = hn::MulEven(multiplier1, x[2][odd]);
        const Vector high0 = hn::BitCast(d, hn::ShiftRight<32>(product0));
        const Vector high1 = hn::BitCast(d, hn::ShiftRight<32>(product1));
        x[0][odd] = hn::Xor(hn::Xor(high1, x[1][odd]), key0);
        x[1][odd] = hn::BitCast(d, product1);
        x[2][odd] = hn::Xor(hn::Xor(high0, x[3][odd]), key1);
        x[3][odd] = hn::BitCast(d, product0);
      }
      key[0] += kWeyl0;
      key[1] += kWeyl1;
    }
    for (int w = 0; w < 4; ++w) {
      const Vector odd = hn::BitCast(d, hn::ShiftLeft<32>(hn::BitCast(wide, x[w][1])));
      hn::StoreU(hn::OddEven(odd, x[w][0]), d, words.data() + 8 * w + lane);
    }
  }
}

void Philox::seek(std::uint64_t position) {
  internal_check(position % 4 == 0, "Philox::seek: position {} is not a multiple of 4", position);
  position_ = position;
}

std::uint32_t Philox::next() {
  if (position_ % 4 == 0) {
    internal_check(position_ < (1ULL << 34), "Philox: the stream is used up");
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
  // Values under 2^64 mod bound would make some answers likelier than others: draw again.
  const std::uint64_t reject = (0 - bound) % bound;
  for (;;) {
    const std::uint64_t high = next();
    const std::uint64_t value = (high << 32) | next();
    if (value >= reject) return value % bound;
  }
}

}  // namespace terse
