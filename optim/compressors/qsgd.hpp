// QSGD: the class. The algorithm is in qsgd.cpp; qsgd_fused.cpp adds all packets in one pass over
// the sum, and selects the values to prefetch during encoding.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tersegrad/optim/compressors/buckets.hpp"
#include "tersegrad/optim/compressors/gather.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/kernels/bits.hpp"
#include "tersegrad/optim/kernels/draws.hpp"
#include "tersegrad/optim/kernels/levels.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {

struct QsgdOptions {
  int levels = 7;
  bool by_bits = true;  // whether the spec gave bits= instead of levels=
  Buckets buckets{512};
  bool max_norm = false, elias = false;

  // omega of a bucket of n values.
  double variance(std::int64_t n) const {
    const auto values = static_cast<double>(n), s = static_cast<double>(levels);
    return std::min(values / (4 * s * s), std::sqrt(values) / s);
  }
  int bits() const { return kernels::level_bits(levels) + 1; }
  std::int64_t field_words(std::int64_t n) const { return kernels::words_for(n * bits()); }
  std::int64_t field_words(std::span<const GradView> views) const {
    std::int64_t sum = 0;
    for (const auto& view : views) sum += field_words(std::ssize(view.data));
    return sum;
  }
};

class Qsgd final : public GatherCompressor {
 public:
  Qsgd(std::uint16_t number, QsgdOptions options) : GatherCompressor(number), options_(options) {}

  std::string spec() const override;
  bool is_contraction() const override {
    return options_.buckets.size > 0 && options_.variance(options_.buckets.size) < 1;
  }
  std::optional<double> variance(std::uint64_t, std::span<const GradView> shape) const override {
    return options_.variance(options_.buckets.largest(shape));
  }
  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override;
  void add(const Round& round, std::span<const std::uint32_t> payload, float weight,
           std::span<const GradView> out) const override;
  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView> shape) const override;

  // qsgd_fused.cpp
  const GradientSource& sum(const Round& round, std::span<const Weighted> packets,
                            std::span<const GradView> scratch) override;

 private:
  static constexpr std::int64_t kPiece = 64 * kernels::Draws::kBlock;

  // The parts of a payload.
  struct Parts {
    std::span<const std::uint32_t> lengths;  // of the bitstreams; empty for code=plain
    PayloadReader norms, codes;
  };
  Parts split(std::span<const std::uint32_t> payload, std::span<const GradView> views) const;

  // body(bucket, begin, end) for pieces of a tensor's buckets, cut at multiples of Draws::kBlock,
  // in any order and in parallel.
  template <class Body>
  void for_each_piece(std::int64_t n, Body body) const {
    options_.buckets.for_each(n, [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
      parallel_for(end - begin, kPiece,
                   [&](std::int64_t from, std::int64_t to) { body(b, begin + from, begin + to); });
    });
  }
  template <class Send>
  void quantise(const Round& round, const GradView& grad, std::span<float> norms, Send send) const;
  // Calls body() for the bucket of x that ends at `end`, and prefetches the bucket after the next
  // one: its first half before body(), its second half after. A core cannot wait for all cache
  // lines of a bucket at once.
  template <class Body>
  static void with_prefetch(std::span<const float> x, std::int64_t end, std::int64_t length,
                            Body body) {
    const auto later = later_bucket(x, end, length);
    kernels::prefetch(later[0]);
    body();
    kernels::prefetch(later[1]);
  }
  // qsgd_fused.cpp: the halves of [end + length, end + 2 length) of x, the bucket after the next
  // one.
  static std::array<std::span<const float>, 2> later_bucket(std::span<const float> x,
                                                            std::int64_t end, std::int64_t length);
  std::span<std::uint8_t> scratch_for_codes(std::size_t n) const {
    if (codes_.size() < n) codes_.resize(n);
    return std::span(codes_).first(n);
  }
  void encode_bitstream(const Round& round, std::span<const GradView> grads, Packet& up);
  void add_bitstream(std::span<const std::uint32_t> payload, float weight,
                     std::span<const GradView> out) const;
  void add_codes(std::span<const std::uint8_t> codes, float norm, std::span<float> out) const;

  QsgdOptions options_;
  mutable std::vector<std::uint8_t> codes_;  // scratch
};

}  // namespace terse
