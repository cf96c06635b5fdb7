// What both forms of TernGrad share: the scales, and the bits that are drawn with them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/compressors/buckets.hpp"

namespace terse {

namespace terngrad {

struct Scaling {
  double clip = 0;  // standard deviations; 0: no limit
  Buckets buckets;

  // Writes the scale of each bucket of each tensor: its largest magnitude, or the limit.
  void write(std::span<const GradView> grads, std::span<float> scales) const;
  std::string spec(bool shared) const;
};

// Two planes of bits in a payload, of the same size.
template <class Word>
struct Planes {
  std::span<Word> nonzero, negative;

  explicit Planes(std::span<Word> words)
      : nonzero(words.first(words.size() / 2)), negative(words.last(words.size() / 2)) {}
};

// The planes of n bits each in a payload. Throws PacketError unless it fits.
Planes<const std::uint32_t> checked_planes(std::span<const std::uint32_t> words, std::int64_t n);

// Draws the bits of every tensor: b_i = 1 with probability min(|x_i|, limit) / scale, with the scale
// and the limit of its bucket.
class Ternary {
 public:
  void write(const Round& round, std::span<const GradView> grads, const Buckets& buckets,
             std::span<const float> scales, std::span<const float> limits,
             std::span<std::uint32_t> words);

 private:
  std::vector<std::uint8_t> codes_;  // scratch: no state
};

}  // namespace terngrad

// The form with one scale for all workers: `terngrad:shared`.
std::unique_ptr<Compressor> make_shared_terngrad(std::uint16_t number,
                                                 const terngrad::Scaling& scaling);
}  // namespace terse
