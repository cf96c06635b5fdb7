#include "tersegrad/optim/kernels/bit_fields.hpp"

#include <array>
#include <cstring>
#include <utility>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/kernels/bits.hpp"

namespace terse::kernels {
namespace {

constexpr std::size_t kGroup = 8;  // fields processed in one 64-bit word: 8 of b bits are b bytes

// A mask of the lowest `bits` bits of each `width`-bit part of a 64-bit word.
constexpr std::uint64_t in_each(int width, int bits) {
  std::uint64_t mask = 0;
  for (int at = 0; at < 64; at += width) mask |= ((std::uint64_t{1} << bits) - 1) << at;
  return mask;
}

// Packs 8 bytes of Bits bits each into 8 · Bits bits, by merging neighbours three times.
template <int Bits>
std::uint64_t close_up(std::uint64_t x) {
  constexpr auto kBytes = in_each(16, 8), kPairs = in_each(32, 16), kFours = in_each(64, 32);
  x = (x & kBytes) | ((x & ~kBytes) >> (8 - Bits));
  x = (x & kPairs) | ((x & ~kPairs) >> (16 - 2 * Bits));
  return (x & kFours) | ((x & ~kFours) >> (32 - 4 * Bits));
}

// The inverse of close_up.
template <int Bits>
std::uint64_t spread(std::uint64_t x) {
  constexpr auto kFours = in_each(64, 4 * Bits), kPairs = in_each(32, 2 * Bits),
                 kBytes = in_each(16, Bits);
  x = (x & kFours) | ((x & (kFours << (4 * Bits))) << (32 - 4 * Bits));
  x = (x & kPairs) | ((x & (kPairs << (2 * Bits))) << (16 - 2 * Bits));
  return (x & kBytes) | ((x & (kBytes << Bits)) << (8 - Bits));
}

template <int Bits>
void pack(std::span<const std::uint8_t> values, std::span<std::uint32_t> words) {
  auto* to = reinterpret_cast<unsigned char*>(words.data());
  const auto groups = values.size() / kGroup, rest = values.size() % kGroup;
  if constexpr (Bits == 4) {  // GCC vectorises this loop
    for (std::size_t i = 0; i < groups * Bits; ++i) {
      to[i] = static_cast<unsigned char>(values[2 * i] | values[2 * i + 1] << 4);
    }
  } else {
    for (std::size_t g = 0; g < groups; ++g) {
      std::uint64_t x = 0;
      std::memcpy(&x, values.data() + g * kGroup, kGroup);
      x = close_up<Bits>(x);
      std::memcpy(to + g * Bits, &x, Bits);
    }
  }
  std::uint64_t x = 0;
  if (rest > 0) std::memcpy(&x, values.data() + groups * kGroup, rest);
  x = close_up<Bits>(x);
  auto* end = to + groups * Bits;
  const auto left = static_cast<std::size_t>(to + words.size_bytes() - end);  // at most Bits + 3
  std::array<unsigned char, 16> last{};
  std::memcpy(last.data(), &x, sizeof x);
  if (left > 0) std::memcpy(end, last.data(), left);
}

template <int Bits>
void unpack(std::span<const std::uint32_t> words, std::span<std::uint8_t> values) {
  const auto* from = reinterpret_cast<const unsigned char*>(words.data());
  const auto groups = values.size() / kGroup, rest = values.size() % kGroup;
  if constexpr (Bits == 4) {
    for (std::size_t i = 0; i < groups * Bits; ++i) {
      values[2 * i] = from[i] & 0xfU;
      values[2 * i + 1] = static_cast<std::uint8_t>(from[i] >> 4);
    }
  } else {
    for (std::size_t g = 0; g < groups; ++g) {
      std::uint64_t x = 0;
      std::memcpy(&x, from + g * Bits, Bits);
      x = spread<Bits>(x);
      std::memcpy(values.data() + g * kGroup, &x, kGroup);
    }
  }
  if (rest == 0) return;
  std::uint64_t x = 0;
  std::memcpy(&x, from + groups * Bits, (rest * Bits + 7) / 8);
  x = spread<Bits>(x);
  std::memcpy(values.data() + groups * kGroup, &x, rest);
}

// Calls body with `bits` as a compile-time constant.
template <class Body>
void with_constant(int bits, Body body) {
  const auto each = [&]<int... Zero>(std::integer_sequence<int, Zero...>) {
    ((bits == Zero + 1 ? body(std::integral_constant<int, Zero + 1>()) : void()), ...);
  };
  each(std::make_integer_sequence<int, 8>());
}

// Calls body(words, values) in parallel for pieces that begin at a word boundary.
template <class Word, class Value, class Body>
void for_each_piece(std::span<Word> words, int bits, std::span<Value> values, Body body) {
  static_assert(kGrain % kWordBits == 0);
  vectorized_for(std::ssize(values), kGrain, [&](std::int64_t begin, std::int64_t end) {
    body(words.subspan(begin * bits / kWordBits, words_for((end - begin) * bits)),
         values.subspan(begin, end - begin));
  });
}

void check_sizes(std::size_t values, int bits, std::size_t words) {
  internal_check(bits >= 1 && bits <= 8, "bit fields: expected 1 to 8 bits; got {}", bits);
  const auto wanted = words_for(static_cast<std::int64_t>(values) * bits);
  internal_check(static_cast<std::int64_t>(words) == wanted,
                 "bit fields: expected {} words for {} fields of {} bits; got {}", wanted, values,
                 bits, words);
}

}  // namespace

void pack_fields(std::span<const std::uint8_t> values, int bits, std::span<std::uint32_t> words) {
  check_sizes(values.size(), bits, words.size());
  with_constant(bits, [&](auto constant) {
    for_each_piece(words, bits, values, [](auto some_words, auto some_values) {
      pack<decltype(constant)::value>(some_values, some_words);
    });
  });
}

void unpack_fields(std::span<const std::uint32_t> words, int bits, std::span<std::uint8_t> values) {
  check_sizes(values.size(), bits, words.size());
  with_constant(bits, [&](auto constant) {
    for_each_piece(words, bits, values, [](auto some_words, auto some_values) {
      unpack<decltype(constant)::value>(some_words, some_values);
    });
  });
}

}  // namespace terse::kernels
