// Floats of 16 bits, from and to those of 32. NaN stays NaN (a quiet one) with its sign.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace terse::kernels {

// IEEE binary16: 5 bits of exponent, 10 of mantissa. To the nearest, ties to even; 65520 and more
// becomes infinite, and below 2^-14 the steps are 2^-24.
inline std::uint16_t to_fp16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const auto sign = bits >> 16 & 0x8000U, magnitude = bits & 0x7fffffffU;
  // Rounding to even: the bits that go and the last that stays, half a step added but for ties.
  const auto normal = (magnitude - (112U << 23) + 0xfffU + (magnitude >> 13 & 1U)) >> 13;
  // Beside 0.5 a step of a float is 2^-24: the sum rounds, and its last bits are the answer.
  const auto small = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) -
                     std::bit_cast<std::uint32_t>(0.5F);
  auto half = magnitude < (113U << 23) ? small : normal;
  half = magnitude >= 0x477ff000U ? 0x7c00U : half;  // 65520
  half = magnitude > 0x7f800000U ? 0x7e00U : half;
  return static_cast<std::uint16_t>(sign | half);
}

inline float from_fp16(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16, magnitude = half & 0x7fffU;
  const auto normal = (magnitude << 13) + (112U << 23);
  const auto small = std::bit_cast<std::uint32_t>(static_cast<float>(magnitude) * 0x1p-24F);
  auto bits = magnitude < 0x400U ? small : normal;
  bits = magnitude >= 0x7c00U ? normal + (112U << 23) : bits;  // an exponent of all ones
  return std::bit_cast<float>(sign | bits);
}

// bfloat16: the upper half of a float. `bits` is what is added to the lower half before it goes.
inline std::uint16_t to_bf16(float x, std::uint32_t added) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const bool nan = (bits & 0x7fffffffU) > 0x7f800000U;
  return static_cast<std::uint16_t>((nan ? bits | 0x400000U : bits + added) >> 16);
}

// To the nearest, ties to even; what rounds beyond the largest becomes infinite.
inline std::uint16_t to_bf16(float x) {
  return to_bf16(x, 0x7fffU + (std::bit_cast<std::uint32_t>(x) >> 16 & 1U));
}

inline float from_bf16(std::uint16_t half) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(half) << 16);
}

// The same of many: halves[i] = to_fp16(x[i]), and out[i] += weight · from_fp16(halves[i]).
void to_fp16(std::span<const float> x, std::span<std::uint16_t> halves);
void add_fp16(std::span<const std::uint16_t> halves, float weight, std::span<float> out);
void add_bf16(std::span<const std::uint16_t> halves, float weight, std::span<float> out);

}  // namespace terse::kernels
