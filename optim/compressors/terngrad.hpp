// What both forms of TernGrad share: the scales, and the bits that are drawn with them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "tersegrad/optim/compressor.hpp"

namespace terse {

// The form with one scale for all workers: `terngrad:shared`.
std::unique_ptr<Compressor> make_shared_terngrad(std::uint16_t number, double clip);

namespace terngrad {

// Writes the scale of each tensor: its largest magnitude. clip > 0 limits it to that many standard
// deviations.
void write_scales(std::span<const GradView> grads, double clip, std::span<float> scales);

// Two planes of bits in a payload, of the same size.
template <class Word>
struct Planes {
  std::span<Word> nonzero, negative;

  explicit Planes(std::span<Word> words)
      : nonzero(words.first(words.size() / 2)), negative(words.last(words.size() / 2)) {}
};

// The planes of n bits each in a payload. Throws PacketError unless it fits.
Planes<const std::uint32_t> checked_planes(std::span<const std::uint32_t> words, std::int64_t n);

// Draws the bits of every tensor: b_i = 1 with probability min(|x_i|, limit) / scale.
class Ternary {
 public:
  void write(const Round& round, std::span<const GradView> grads, std::span<const float> scales,
             std::span<const float> limits, std::span<std::uint32_t> words);

 private:
  std::vector<std::uint8_t> codes_;  // scratch: no state
};

}  // namespace terngrad
}  // namespace terse
