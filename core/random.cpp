#include "core/random.hpp"

#include <cmath>
#include <numbers>

#include "core/error.hpp"

namespace terse {

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = kMultiplier0 * counter[0];
    const std::uint64_t product1 = kMultiplier1 * counter[2];
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
