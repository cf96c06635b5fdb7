// 16-bit sums: fp16 and bf16 with reduce=wide or reduce=hop, as an all-reduce of halves has them.
//
//   worker w:  send h_w = half(x_w)                        divide=before: half(x_w / W)
//   exchange:  in slices (traits.sliceable)
//     wide:    s = h_0 + … + h_(W-1) in 32 bits            divide=after: s = s / W
//              send half(s)                                one rounding of the sum
//     hop:     s = h_(c+1)
//              for w = c+2, …, c (mod W):  s = half(s + h_w)     one rounding per hop
//              send s                                            c: the coordinate's chunk
//   worker:    mean = s;  hop with divide=after: mean = s / W, in 32 bits
//
// `hop` has the bits of a ring of halves. Such a ring cuts a bucket of n values into W chunks.
// Chunk c is [n c / W, n (c+1) / W) and is added in the order of the workers c+1, …, c, which
// `combine` repeats for its slice. The result depends on the buckets, as that of every ring.
//
// With u = 2^-11 (fp16) or 2^-8 (bf16), and apart from values below the least normal one:
//   wide:  |mean - exact| <= u |mean| + u/W sum |x_w|
//   hop:   |mean - exact| <= ((1+u)^W - 1) / W sum |x_w|
// A sum by hops swamps small values: in bf16, 1 and 255 times 2^-9 give 1. It overflows where the
// sum does: in fp16, four times 40000. `wide` with divide=after does neither. In fp16,
// divide=before makes zeros of gradients up to W 2^-25. `stochastic` rounds every sum at random by
// draws of (seed, step, hop, coordinate), without bias.
//
// Payload: 2 bytes per value, tensors without gaps, padded by zeros to a multiple of 32 values; the
// same down. A worker sends 2 (W-1)/W of it, as in a ring of halves.
// Time: one pass; combine O(W d / W) per worker.
// Source: the fp16 and bf16 hooks of PyTorch, whose all-reduce adds halves after a division by W.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/optim/compressors/half.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/kernels/bits.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {
namespace {

constexpr int kWordsPerBlock = 16;      // of the 32 halves that a slice cannot divide
constexpr std::int64_t kCached = 2048;  // values that are added up together

std::int64_t padded_words(std::int64_t halves) {
  return kWordsPerBlock * kernels::words_for(halves);
}

// The halves of a payload. Throws PacketError unless it holds n of them.
Halves halves_of(const Packet& packet, std::int64_t n) {
  const auto words = expect_words(packet, padded_words(n));
  expect_padding(words, 16 * n);
  return {reinterpret_cast<const std::uint16_t*>(words.data()), static_cast<std::size_t>(n)};
}

// The memory of n halves in a payload; the padding is set.
std::span<std::uint16_t> new_halves(std::span<std::uint32_t> words, std::int64_t n) {
  const auto all = std::span(reinterpret_cast<std::uint16_t*>(words.data()), 2 * words.size());
  std::ranges::fill(all.subspan(n), std::uint16_t{0});
  return all.first(n);
}

// weight · halves, decoded block by block.
template <class Format>
class ScaledHalves final : public GradientSource {
 public:
  ScaledHalves() = default;
  ScaledHalves(Halves halves, float weight) : halves_(halves), weight_(weight) {}
  std::span<const float> read(std::int64_t first, std::span<float> scratch) const override {
    kernels::clear(scratch);
    Format::add(halves_.subspan(first, scratch.size()), weight_, scratch);
    return scratch;
  }

 private:
  Halves halves_;
  float weight_ = 1;
};

template <class Format>
class HalfSum final : public Compressor {
 public:
  HalfSum(std::uint16_t number, Format format, HalfSumOptions options)
      : number_(number), format_(format), o_(options) {}

  std::string spec() const override {
    return fmt::format("{}reduce={},divide={}", format_.spec(), o_.wide ? "wide" : "hop",
                       o_.divide_before ? "before" : "after");
  }
  Traits traits(std::uint64_t) const override {
    return {.sliceable = true,
            .block_words = kWordsPerBlock,
            .self_contained = !o_.divide_before,
            .rounds_sum = true};
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    const auto n = count(grads);
    auto payload = start_packet(round, number_, grads.size(), padded_words(n), up);
    auto halves = new_halves(payload.rest(), n);
    for (auto grad : grads) {
      if (o_.divide_before) {
        divided_.resize(grad.data.size());
        kernels::divide_to(grad.data, static_cast<float>(round.workers), divided_);
        grad.data = divided_;
      }
      format_.write(round, grad, halves.first(grad.data.size()));
      halves = halves.subspan(grad.data.size());
    }
  }

  void combine(const Round& round, std::span<const GradView>, std::span<const Packet> up,
               std::span<const float>, Packet& down) override {
    constexpr std::size_t kMost = 65535;  // the most contributors that a header can hold
    check<PacketError>(!up.empty() && up.size() <= kMost, "{}: expected 1 to {} packets; got {}",
                       spec(), kMost, up.size());
    const auto tensors = up.front().header().tensors;
    std::vector<Halves> parts;
    for (const auto& packet : up) {
      packet.expect(number_, round.phase, tensors);
      parts.push_back(halves_of(packet, round.count));
    }
    auto header = header_for(round, number_, PacketKind::down, tensors);
    header.contributors = static_cast<std::uint16_t>(up.size());
    down.start(header, static_cast<std::size_t>(padded_words(round.count)) * sizeof(std::uint32_t));
    const auto sum = new_halves(down.words(), round.count);
    if (o_.wide) {
      add_wide(round, parts, sum);
    } else {
      add_by_hops(round, parts, sum);
    }
  }

  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> shape) override {
    down.expect(number_, round.phase, shape.size());
    const float contributors = expect_contributors(down);
    const float weight = o_.wide || o_.divide_before ? 1 : 1 / contributors;
    return means_.at(round.first) = ScaledHalves<Format>(halves_of(down, count(shape)), weight);
  }

  void reconstruct(const Round& round, const Packet& own,
                   std::span<const GradView> out) const override {
    own.expect(number_, round.phase, out.size());
    const float weight = o_.divide_before ? static_cast<float>(round.workers) : 1;
    materialize(ScaledHalves<Format>(halves_of(own, count(out)), weight), out);
  }

  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView> shape) const override {
    FieldList list(up);
    list.words("halves", padded_words(count(shape)));
    return list.take();
  }

 private:
  void add_wide(const Round& round, std::span<const Halves> parts,
                std::span<std::uint16_t> sum) const {
    for_each_block(0, round.count, [&](std::int64_t at, std::int64_t n) {
      std::array<float, kCached> memory;
      const auto total = std::span(memory).first(n);
      kernels::clear(total);
      for (const auto& part : parts) Format::add(part.subspan(at, n), 1, total);
      if (!o_.divide_before) {
        kernels::divide_to(total, static_cast<float>(parts.size()), total);
      }
      format_.round({round, 0, round.first + at}, total, sum.subspan(at, n));
    });
  }

  void add_by_hops(const Round& round, std::span<const Halves> parts,
                   std::span<std::uint16_t> sum) const {
    const auto workers = std::ssize(parts);
    const bool slice = round.bucket_count > 0;
    const auto whole = slice ? round.bucket_count : round.count;
    const auto offset = slice ? round.first - round.bucket_first : 0;
    const auto begin_of = [&](std::int64_t chunk) {
      return std::clamp(whole * chunk / workers - offset, std::int64_t{0}, round.count);
    };
    for (std::int64_t chunk = 0; chunk < workers; ++chunk) {
      for_each_block(begin_of(chunk), begin_of(chunk + 1), [&](std::int64_t at, std::int64_t n) {
        const auto total = sum.subspan(at, n);
        std::ranges::copy(parts[(chunk + 1) % workers].subspan(at, n), total.begin());
        for (std::int64_t hop = 1; hop < workers; ++hop) {
          format_.add_rounded({round, static_cast<std::uint32_t>(hop), round.first + at},
                              parts[(chunk + 1 + hop) % workers].subspan(at, n), total);
        }
      });
    }
  }

  // Calls body(at, n) in parallel for blocks of n <= kCached values of [first, last).
  template <class Body>
  static void for_each_block(std::int64_t first, std::int64_t last, Body body) {
    parallel_for(last - first, kernels::kGrain, [&](std::int64_t begin, std::int64_t end) {
      for (; begin < end; begin += kCached) body(first + begin, std::min(kCached, end - begin));
    });
  }

  std::uint16_t number_;
  Format format_;
  HalfSumOptions o_;
  std::vector<float> divided_;  // divide=before: one tensor / W
  SourcePerBucket<ScaledHalves<Format>> means_;
};

}  // namespace

std::unique_ptr<Compressor> make_half_sum(std::uint16_t number, Fp16 format,
                                          HalfSumOptions options) {
  return std::make_unique<HalfSum<Fp16>>(number, format, options);
}

std::unique_ptr<Compressor> make_half_sum(std::uint16_t number, Bf16 format,
                                          HalfSumOptions options) {
  return std::make_unique<HalfSum<Bf16>>(number, format, options);
}

}  // namespace terse
