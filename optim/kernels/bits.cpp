#include "optim/kernels/bits.hpp"

#include <bit>

namespace terse::codec {

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
  constexpr std::uint32_t kMinus = 1U << 31;  // the sign of a float
  for_each_word(at, out, [&](float* values, std::int64_t n, std::int64_t bit) {
    std::array<float, kWordBits> sum{};
    for (std::size_t p = 0; p < negative.size(); ++p) {
      const auto word = bits_from(negative[p], bit);
      const auto scale = std::bit_cast<std::uint32_t>(scales[p]);
      for (std::uint32_t i = 0; i < kWordBits; ++i) {
        sum[i] += std::bit_cast<float>(scale ^ (word << (kWordBits - 1 - i) & kMinus));
      }
    }
    std::copy_n(sum.data(), n, values);
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
    for (std::int64_t i = 0; i < n; ++i) {
      const float signed_scale = (minus >> i & 1U) != 0 ? -scale : scale;
      values[i] += (some >> i & 1U) != 0 ? signed_scale : zero;
    }
  });
}

}  // namespace terse::codec
