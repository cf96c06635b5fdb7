#include "optim/kernels/bits.hpp"

namespace terse::codec {
namespace {

// body(i) for 0 <= i < n <= 32; of a whole word a loop that GCC vectorises.
template <class Body>
void for_bits(std::int64_t n, Body body) {
  if (n == kWordBits) {
    for (std::int64_t i = 0; i < kWordBits; ++i) body(i);
  } else {
    for (std::int64_t i = 0; i < n; ++i) body(i);
  }
}

}  // namespace

void pack_negative(std::span<const float> x, std::int64_t at, std::span<std::uint32_t> plane) {
  pack_if(x, at, plane, [](float value) { return value < 0; });
}

void pack_nonzero(std::span<const float> x, std::int64_t at, std::span<std::uint32_t> plane) {
  pack_if(x, at, plane, [](float value) { return value != 0; });
}

void unpack_signs(std::span<const std::uint32_t> negative, std::int64_t at, float scale,
                  std::span<float> out) {
  for_each_word(at, out, [&](float* values, std::int64_t n, std::int64_t bit) {
    const auto word = bits_from(negative, bit);
    for (std::int64_t i = 0; i < n; ++i) values[i] = (word >> i & 1U) != 0 ? -scale : scale;
  });
}

void add_signs(std::span<const std::uint32_t> negative, std::int64_t at, float scale,
               std::span<float> out) {
  for_each_word(at, out, [&](float* values, std::int64_t n, std::int64_t bit) {
    const auto word = bits_from(negative, bit);
    for (std::int64_t i = 0; i < n; ++i) values[i] += (word >> i & 1U) != 0 ? -scale : scale;
  });
}

void sum_signs(std::span<const std::span<const std::uint32_t>> negative, std::int64_t at,
               std::span<const float> scales, std::span<float> out) {
  if (negative.empty()) return clear(out);
  const auto signed_scale = [](std::uint32_t word, std::int64_t i, float scale) {
    return (word >> i & 1U) != 0 ? -scale : scale;
  };
  for_each_word(at, out, [&](float* values, std::int64_t n, std::int64_t bit) {
    const auto head = bits_from(negative[0], bit);
    for_bits(n, [&, scale = scales[0]](std::int64_t i) {
      values[i] = 0.0F + signed_scale(head, i, scale);
    });
    for (std::size_t p = 1; p < negative.size(); ++p) {
      const auto word = bits_from(negative[p], bit);
      for_bits(
          n, [&, scale = scales[p]](std::int64_t i) { values[i] += signed_scale(word, i, scale); });
    }
  });
}

void unpack_ternary(std::span<const std::uint32_t> nonzero, std::span<const std::uint32_t> negative,
                    std::int64_t at, std::span<float> out) {
  for_each_word(at, out, [&](float* values, std::int64_t n, std::int64_t bit) {
    const auto some = bits_from(nonzero, bit);
    const auto minus = bits_from(negative, bit);
    for (std::int64_t i = 0; i < n; ++i) {
      const float sign = (minus >> i & 1U) != 0 ? -1.0F : 1.0F;
      values[i] = (some >> i & 1U) != 0 ? sign : 0.0F;
    }
  });
}

void add_ternary(std::span<const std::uint32_t> nonzero, std::span<const std::uint32_t> negative,
                 std::int64_t at, float scale, std::span<float> out) {
  const float zero = 0 * scale;  // NaN, if the scale is not finite
  for_each_word(at, out, [&](float* values, std::int64_t n, std::int64_t bit) {
    const auto some = bits_from(nonzero, bit);
    const auto minus = bits_from(negative, bit);
    for_bits(n, [=](std::int64_t i) {
      const float signed_scale = (minus >> i & 1U) != 0 ? -scale : scale;
      values[i] += (some >> i & 1U) != 0 ? signed_scale : zero;
    });
  });
}

}  // namespace terse::codec
