// The two 16-bit formats, and their exchanges: gathered (half.cpp) or added up (half_sum.cpp).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "tersegrad/optim/compressor.hpp"

namespace terse {

using Halves = std::span<const std::uint16_t>;

// A rounded addition of a reduced sum: the number of the hop, from 1 to W - 1, or 0 for the one
// rounding of reduce=wide, and the coordinate of the model where the values begin. Random draws
// depend on both.
struct SumRounding {
  const Round& round;
  std::uint32_t hop;
  std::int64_t coordinate;
};

struct Fp16 {
  static std::string spec() { return "fp16:"; }
  static std::optional<double> variance() { return std::nullopt; }  // of the rounding; biased
  // out = the 16-bit floats of one tensor
  void write(const Round& round, const GradView& grad, std::span<std::uint16_t> out) const;
  // out += weight · halves
  static void add(Halves halves, float weight, std::span<float> out);
  // out = x, rounded
  void round(const SumRounding& at, std::span<const float> x, std::span<std::uint16_t> out) const;
  // sum += halves: one addition in 32 bits per value, and one rounding
  void add_rounded(const SumRounding& at, Halves halves, std::span<std::uint16_t> sum) const;
};

struct Bf16 {
  bool stochastic = false;

  std::string spec() const;
  // The neighbours of x are at most 2^-7 |x| apart, and p (1 - p) is at most 1/4.
  std::optional<double> variance() const {
    return stochastic ? std::optional(0x1p-16) : std::nullopt;
  }
  // As for Fp16.
  void write(const Round& round, const GradView& grad, std::span<std::uint16_t> out) const;
  static void add(Halves halves, float weight, std::span<float> out);
  void round(const SumRounding& at, std::span<const float> x, std::span<std::uint16_t> out) const;
  void add_rounded(const SumRounding& at, Halves halves, std::span<std::uint16_t> sum) const;
};

// half_sum.cpp. `wide`: 32-bit sums that are rounded once; otherwise one rounding in each hop.
// `divide_before`: workers divide their gradients by W; otherwise the sum is divided.
struct HalfSumOptions {
  bool wide = true, divide_before = false;
};
std::unique_ptr<Compressor> make_half_sum(std::uint16_t number, Fp16 format,
                                          HalfSumOptions options);
std::unique_ptr<Compressor> make_half_sum(std::uint16_t number, Bf16 format,
                                          HalfSumOptions options);

}  // namespace terse
