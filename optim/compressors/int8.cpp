// 8-bit integers between the smallest and the largest value.
//
//   worker w:  for each tensor, or each `bucket` values of it (0: the tensor):
//                a = min x_i, b = max x_i
//                q_i = (x_i - a) 255 / (b - a), to the nearest integer; 0 if b = a
//              send a, b and the q_i
//   exchange:  every worker receives all packets
//   worker:    mean_i = sum over w of (a_w + q_i (b_w - a_w) / 255) / W
//
// |C(x)_i - x_i| <= (b - a) / 510, up to the last bit of the float. C is biased: use it with error
// feedback. a and b are exact; 0 is not, unless it is one of them. A NaN or infinity makes its own
// bucket NaN.
//
// Payload: f32 a and b of every bucket; then for every tensor its bytes, up to a whole word.
// Time: two passes.
// Source: the usual affine quantisation, as in Jacob et al., arXiv 1712.05877, with a real offset
// in place of their integer zero point.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <mutex>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/simd/vectorized.hpp"
#include "tersegrad/optim/compressors/buckets.hpp"
#include "tersegrad/optim/compressors/gather.hpp"
#include "tersegrad/optim/compressors/payload.hpp"

namespace terse {
namespace {

// So many values of a range can have errors as large as they are.
constexpr std::int64_t kMostValues = 510 * 510 / 2;

std::int64_t words_of_bytes(std::int64_t bytes) {
  return (bytes + 3) / 4;
}

struct Range {
  float low = 0, high = 0;
};

// An integer that orders as the float does; those of NaN lie beyond the infinities.
std::int32_t order_of(float x) {
  const auto bits = std::bit_cast<std::int32_t>(x);
  return bits < 0 ? bits ^ 0x7fffffff : bits;
}

// The smallest and the largest value, or NaN and NaN if a value is not finite.
Range range_of(std::span<const float> x) {
  using Limits = std::numeric_limits<float>;
  constexpr auto kLeast = std::numeric_limits<std::int32_t>::min();
  constexpr auto kMost = std::numeric_limits<std::int32_t>::max();
  auto low = kMost, high = kLeast;
  std::mutex mutex;
  parallel_for(std::ssize(x), kernels::kGrain, [&](std::int64_t begin, std::int64_t end) {
    auto least = kMost, most = kLeast;
    vectorized([&, from = x.data()] {
      auto smaller = kMost, larger = kLeast;
      for (auto i = begin; i < end; ++i) {
        smaller = std::min(smaller, order_of(from[i]));
        larger = std::max(larger, order_of(from[i]));
      }
      least = smaller;
      most = larger;
    });
    const std::scoped_lock lock(mutex);
    low = std::min(low, least);
    high = std::max(high, most);
  });
  if (x.empty()) return {};
  if (low < order_of(Limits::lowest()) || high > order_of(Limits::max())) {
    return {Limits::quiet_NaN(), Limits::quiet_NaN()};
  }
  const auto value_of = [](std::int32_t order) {
    return std::bit_cast<float>(order < 0 ? order ^ 0x7fffffff : order);
  };
  return {value_of(low), value_of(high)};
}

// bytes = (x - low) scale, to the nearest integer
void write_bytes(std::span<const float> x, double low, double scale, unsigned char* bytes) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double steps = (double{x[i]} - low) * scale;  // at least 0
    // NOLINTNEXTLINE(bugprone-incorrect-roundings)
    bytes[i] = static_cast<unsigned char>(static_cast<int>(std::min(steps, 255.0) + 0.5));
  }
}

void encode_bytes(std::span<const float> x, Range range, unsigned char* bytes) {
  const double width = double{range.high} - range.low;
  if (!(width > 0)) {
    std::fill_n(bytes, x.size(), static_cast<unsigned char>(0));
    return;
  }
  vectorized_for(std::ssize(x), kernels::kGrain, [=](std::int64_t begin, std::int64_t end) {
    write_bytes(x.subspan(begin, end - begin), range.low, 255 / width, bytes + begin);
  });
}

void add_bytes(const unsigned char* bytes, Range range, float weight, std::span<float> out) {
  const double low = range.low, step = (double{range.high} - low) / 255;
  vectorized_for(std::ssize(out), kernels::kGrain,
                 [=, to = out.data()](std::int64_t begin, std::int64_t end) {
                   for (auto i = begin; i < end; ++i) {
                     to[i] += weight * static_cast<float>(low + bytes[i] * step);
                   }
                 });
}

class Int8 final : public GatherCompressor {
 public:
  Int8(std::uint16_t number, Buckets buckets) : GatherCompressor(number), buckets_(buckets) {}

  std::string spec() const override { return fmt::format("int8:bucket={}", buckets_.size); }
  // A range of width w has errors of at most w/510, and |x|^2 of at least w^2/2.
  bool is_contraction() const override { return buckets_.size > 0 && buckets_.size < kMostValues; }
  std::optional<double> contraction(std::uint64_t, std::span<const GradView> shape) const override {
    const auto n = buckets_.largest(shape);
    if (n >= kMostValues) return std::nullopt;
    return 1 - static_cast<double>(n) / kMostValues;
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    const auto [range_words, byte_words] = sizes(grads);
    PayloadWriter payload(start(round, grads, range_words + byte_words, up));
    PayloadWriter all_ranges(payload.next_words(range_words)), all_bytes(payload.rest());
    for (const auto& grad : grads) {
      const auto n = std::ssize(grad.data);
      const auto ranges = all_ranges.next_floats(2 * buckets_.of(n));
      const auto bytes = all_bytes.next_words(words_of_bytes(n));
      if (n % 4 != 0) bytes.back() = 0;
      auto* to = reinterpret_cast<unsigned char*>(bytes.data());
      buckets_.for_each(n, [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
        const auto x = grad.data.subspan(begin, end - begin);
        const auto range = range_of(x);
        ranges[2 * b] = range.low;
        ranges[2 * b + 1] = range.high;
        encode_bytes(x, range, to + begin);
      });
    }
  }

  void add(const Round&, std::span<const std::uint32_t> payload, float weight,
           std::span<const GradView> out) const override {
    const auto [range_words, byte_words] = sizes(out);
    PayloadReader in(payload, range_words + byte_words);
    PayloadReader all_ranges(in.next_words(range_words)), all_bytes(in.rest());
    for (const auto& view : out) {
      const auto n = std::ssize(view.data);
      const auto ranges = all_ranges.next_floats(2 * buckets_.of(n));
      const auto bytes = all_bytes.next_words(words_of_bytes(n));
      expect_padding(bytes, 8 * n);
      const auto* from = reinterpret_cast<const unsigned char*>(bytes.data());
      buckets_.for_each(n, [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
        add_bytes(from + begin, {ranges[2 * b], ranges[2 * b + 1]}, weight,
                  view.data.subspan(begin, end - begin));
      });
    }
  }

  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView> shape) const override {
    FieldList list(up);
    list.floats("smallest, largest", sizes(shape).first);
    for (const auto& view : shape) {
      list.words("bytes of " + shape_text(view), words_of_bytes(std::ssize(view.data)));
    }
    return list.take();
  }

 private:
  // The numbers of words of the ranges and of the bytes of all tensors.
  std::pair<std::int64_t, std::int64_t> sizes(std::span<const GradView> views) const {
    std::int64_t bytes = 0;
    for (const auto& view : views) bytes += words_of_bytes(std::ssize(view.data));
    return {2 * buckets_.of(views), bytes};
  }

  Buckets buckets_;
};

}  // namespace

std::unique_ptr<Compressor> make_int8(std::uint16_t number, Options& options,
                                      std::unique_ptr<Compressor>) {
  const auto bucket = options.integer("bucket", 0, 0, std::numeric_limits<std::uint32_t>::max());
  return std::make_unique<Int8>(number, Buckets{bucket});
}

}  // namespace terse
