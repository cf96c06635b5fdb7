// Conversion between 32-bit floats and the 16-bit formats fp16 and bf16. NaN stays a NaN with the
// same sign and becomes quiet.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace terse::kernels {

// IEEE binary16: 5 bits of exponent, 10 bits of mantissa. Rounds to the nearest, ties to even.
// Magnitudes of 65520 and more become infinite; below 2^-14 the result is a multiple of 2^-24.
inline std::uint16_t to_fp16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const auto sign = bits >> 16 & 0x8000U, magnitude = bits & 0x7fffffffU;
  // Round to nearest even: add half a unit minus one, plus the last bit that is kept, then cut.
  const auto normal = (magnitude - (112U << 23) + 0xfffU + (magnitude >> 13 & 1U)) >> 13;
  // Floats just above 0.5 are 2^-24 apart: adding 0.5 rounds to a multiple of 2^-24, and the low
  // bits of the sum are the fp16 value.
  const auto small = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) -
                     std::bit_cast<std::uint32_t>(0.5F);
  auto half = magnitude < (113U << 23) ? small : normal;
  half = magnitude >= 0x477ff000U ? 0x7c00U : half;  // 65520 and more
  half = magnitude > 0x7f800000U ? 0x7e00U : half;
  return static_cast<std::uint16_t>(sign | half);
}

inline float from_fp16(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16, magnitude = half & 0x7fffU;
  const auto normal = (magnitude << 13) + (112U << 23);
  const auto small = std::bit_cast<std::uint32_t>(static_cast<float>(magnitude) * 0x1p-24F);
  auto bits = magnitude < 0x400U ? small : normal;
  bits = magnitude >= 0x7c00U ? normal + (112U << 23) : bits;  // infinity or NaN
  return std::bit_cast<float>(sign | bits);
}

// bfloat16: the upper 16 bits of a float. `added` is added to the bits before the lower 16 are cut,
// which determines the rounding.
inline std::uint16_t to_bf16(float x, std::uint32_t added) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const bool nan = (bits & 0x7fffffffU) > 0x7f800000U;
  return static_cast<std::uint16_t>((nan ? bits | 0x400000U : bits + added) >> 16);
}

// Rounds to the nearest, ties to even. Values that round beyond the largest become infinite.
inline std::uint16_t to_bf16(float x) {
  return to_bf16(x, 0x7fffU + (std::bit_cast<std::uint32_t>(x) >> 16 & 1U));
}

inline float from_bf16(std::uint16_t half) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(half) << 16);
}

// The same for arrays: halves[i] = to_fp16(x[i]), out[i] += weight · from_fp16(halves[i]) and
// out[i] += weight · from_bf16(halves[i]). The spans must have equal lengths.
void to_fp16(std::span<const float> x, std::span<std::uint16_t> halves);
void add_fp16(std::span<const std::uint16_t> halves, float weight, std::span<float> out);
void add_bf16(std::span<const std::uint16_t> halves, float weight, std::span<float> out);
// halves[i] = to_bf16(x[i])
void to_bf16(std::span<const float> x, std::span<std::uint16_t> halves);
// sum[i] = to_fp16(from_fp16(sum[i]) + from_fp16(halves[i])), and the same for bf16.
void add_rounded_fp16(std::span<const std::uint16_t> halves, std::span<std::uint16_t> sum);
void add_rounded_bf16(std::span<const std::uint16_t> halves, std::span<std::uint16_t> sum);

}  // namespace terse::kernels
