// QSGD: every value is rounded at random to one of s levels of its bucket's norm.
//
//   worker w:  for each bucket v of `bucket` values of a tensor (the last is shorter; 0: one
//   bucket):
//                N = |v|_2, or max |v_i|
//                l_i = floor(s |v_i| / N), and 1 more with probability s |v_i| / N - l_i
//              send N of every bucket, then sign(v_i) and l_i
//   exchange:  pass on what all workers sent
//   worker:    mean_i = sum over w of N_w sign_i l_i / (s W)
//
// C is unbiased. With norm=l2, E|C(v) - v|^2 <= min(n/s^2, sqrt(n)/s) |v|^2 for a bucket of n
// values, and of those at most s (s + sqrt(n)) are not 0, in the mean. bits=b means s = 2^(b-1) -
// 1: a sign and b - 1 bits of level. A value at the norm is exactly at level s. N = 0 gives zeros,
// and NaN or an infinity (or an N beyond the largest float) makes its own bucket NaN.
//
// Payload, code=plain: f32 N of all buckets; then for every tensor its fields of b bits, the level
// in the low ones: 4 buckets + 4 ceil(n b / 32) bytes. code=elias: u32 length of every tensor's
// text in words, f32 N, the texts (kernels/elias.hpp): the paper's, and short where most levels are
// 0. Time: two passes and 16 random bits a value; texts are written and read one bit after another.
// Source: Alistarh et al., arXiv 1610.02132, sections 3.1 and 3.2; buckets and max: section 4.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressors/buckets.hpp"
#include "tersegrad/optim/compressors/gather.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/compressors/streams.hpp"
#include "tersegrad/optim/kernels/bit_fields.hpp"
#include "tersegrad/optim/kernels/bits.hpp"
#include "tersegrad/optim/kernels/elias.hpp"
#include "tersegrad/optim/kernels/levels.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {
namespace {

constexpr std::int64_t kPiece = 64 * kernels::Draws::kBlock;  // codes that wait on the stack

struct QsgdOptions {
  int levels = 7;
  bool by_bits = true;  // how the levels were given
  Buckets buckets{512};
  bool max_norm = false, elias = false;

  int bits() const { return kernels::level_bits(levels) + 1; }
  std::int64_t field_words(std::int64_t n) const { return kernels::words_for(n * bits()); }
  std::int64_t field_words(std::span<const GradView> views) const {
    std::int64_t sum = 0;
    for (const auto& view : views) sum += field_words(std::ssize(view.data));
    return sum;
  }
};

// A payload taken apart.
struct Parts {
  std::span<const std::uint32_t> lengths;  // of the texts; empty if plain
  std::span<const float> norms;
  std::span<const std::uint32_t> codes;
};

class Qsgd final : public GatherCompressor {
 public:
  Qsgd(std::uint16_t number, QsgdOptions options) : GatherCompressor(number), options_(options) {}

  std::string spec() const override {
    const auto levels = options_.by_bits ? fmt::format("bits={}", options_.bits())
                                         : fmt::format("levels={}", options_.levels);
    return fmt::format("qsgd:{},bucket={},norm={},code={}", levels, options_.buckets.size,
                       options_.max_norm ? "max" : "l2", options_.elias ? "elias" : "plain");
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override;
  const GradientSource& sum(const Round& round, std::span<const Weighted> packets,
                            std::span<const GradView> scratch) override;
  void add(const Round& round, std::span<const std::uint32_t> payload, float weight,
           std::span<const GradView> out) const override;
  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView> shape) const override;

 private:
  // body(bucket, begin, end) for pieces of a tensor's buckets, cut at multiples of Draws::kBlock,
  // in any order and in parallel.
  template <class Body>
  void for_each_piece(std::int64_t n, Body body) const;
  // body(first, codes) for pieces of a tensor's codes; fills `norms` of its buckets.
  template <class Body>
  void quantise(const Round& round, const GradView& grad, std::span<float> norms, Body body) const;
  std::span<std::uint8_t> room_for_codes(std::size_t n) const {
    if (codes_.size() < n) codes_.resize(n);
    return std::span(codes_).first(n);
  }
  void encode_texts(const Round& round, std::span<const GradView> grads, Packet& up);
  // One pass for all packets; `out` is cleared first if it is `fresh`.
  void add_plain(std::span<const Weighted> packets, bool fresh,
                 std::span<const GradView> out) const;
  void add_texts(const Weighted& packet, std::span<const GradView> out) const;
  void add_codes(std::span<const std::uint8_t> codes, float norm, std::span<float> out) const;
  Parts split(std::span<const std::uint32_t> payload, std::span<const GradView> views) const;

  QsgdOptions options_;
  mutable std::vector<std::uint8_t> codes_;  // room that is used again: no state
};

template <class Body>
void Qsgd::for_each_piece(std::int64_t n, Body body) const {
  options_.buckets.for_each(n, [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
    parallel_for(end - begin, kPiece,
                 [&](std::int64_t from, std::int64_t to) { body(b, begin + from, begin + to); });
  });
}

template <class Body>
void Qsgd::quantise(const Round& round, const GradView& grad, std::span<float> norms,
                    Body body) const {
  const std::span<const float> x = grad.data;
  const auto draws = rounding_draws(round, grad);
  options_.buckets.for_each(std::ssize(x), [&](std::int64_t b, std::int64_t begin,
                                               std::int64_t end) {
    const auto bucket = x.subspan(begin, end - begin);
    norms[b] = options_.max_norm ? kernels::largest_magnitude(bucket)
                                 : static_cast<float>(std::sqrt(kernels::sum_of_squares(bucket)));
    // The bucket after the next comes from memory while this one is computed: half of it now,
    // for there are not room for all of its lines on the way.
    const auto later = x.subspan(std::min(end + std::ssize(bucket), std::ssize(x)));
    const auto ahead = later.first(std::min({kPiece, std::ssize(bucket), std::ssize(later)}));
    kernels::prefetch(ahead.first(ahead.size() / 2));
    parallel_for(std::ssize(bucket), kPiece, [&](std::int64_t from, std::int64_t to) {
      std::array<std::uint8_t, kPiece> room;
      const auto codes = std::span(room).first(to - from);
      kernels::encode_levels(bucket.subspan(from, to - from), {options_.levels, norms[b], norms[b]},
                             draws, begin + from, codes);
      body(begin + from, codes);
    });
    kernels::prefetch(ahead.subspan(ahead.size() / 2));
  });
}

void Qsgd::encode(const Round& round, std::span<const GradView> grads, Packet& up) {
  if (options_.elias) return encode_texts(round, grads, up);
  const auto buckets = options_.buckets.of(grads);
  PayloadWriter payload(start(round, grads, buckets + options_.field_words(grads), up));
  PayloadWriter all_norms(payload.next_words(buckets)), all_fields(payload.rest());
  for (const auto& grad : grads) {
    const auto n = std::ssize(grad.data);
    const auto norms = all_norms.next_floats(options_.buckets.of(n));
    const auto fields = all_fields.next_words(options_.field_words(n));
    quantise(round, grad, norms, [&](std::int64_t first, std::span<const std::uint8_t> codes) {
      kernels::pack_fields(codes, options_.bits(),
                           fields.subspan(first * options_.bits() / kernels::kWordBits,
                                          options_.field_words(std::ssize(codes))));
    });
  }
}

void Qsgd::encode_texts(const Round& round, std::span<const GradView> grads, Packet& up) {
  const auto buckets = options_.buckets.of(grads);
  std::vector<float> norms(static_cast<std::size_t>(buckets));
  std::vector<std::uint32_t> lengths, texts;
  auto rest = std::span(norms);
  for (const auto& grad : grads) {
    const auto before = texts.size();
    const auto levels = room_for_codes(grad.data.size());
    quantise(round, grad, rest, [&](std::int64_t first, std::span<const std::uint8_t> codes) {
      std::ranges::copy(codes, levels.begin() + first);
    });
    kernels::elias_encode(levels, options_.levels, texts);
    rest = rest.subspan(options_.buckets.of(std::ssize(grad.data)));
    lengths.push_back(static_cast<std::uint32_t>(texts.size() - before));
  }
  const auto words = start(round, grads, std::ssize(lengths) + buckets + std::ssize(texts), up);
  std::ranges::copy(lengths, words.begin());
  std::ranges::copy(norms, as_floats(words.subspan(lengths.size())).begin());
  std::ranges::copy(texts, words.last(texts.size()).begin());
}

Parts Qsgd::split(std::span<const std::uint32_t> payload, std::span<const GradView> views) const {
  const auto length_count = options_.elias ? views.size() : 0;
  const auto norm_count = static_cast<std::size_t>(options_.buckets.of(views));
  check<PacketError>(payload.size() >= length_count + norm_count,
                     "packet: a payload of {} words; {} norms and {} lengths are wanted",
                     payload.size(), norm_count, length_count);
  const Parts parts{payload.first(length_count),
                    as_floats(payload.subspan(length_count, norm_count)),
                    payload.subspan(length_count + norm_count)};
  const auto words =
      options_.elias ? std::accumulate(parts.lengths.begin(), parts.lengths.end(), std::uint64_t{0})
                     : static_cast<std::uint64_t>(options_.field_words(views));
  check<PacketError>(parts.codes.size() == words, "packet: {} words of levels; {} are wanted",
                     parts.codes.size(), words);
  return parts;
}

const GradientSource& Qsgd::sum(const Round& round, std::span<const Weighted> packets,
                                std::span<const GradView> scratch) {
  if (options_.elias) return GatherCompressor::sum(round, packets, scratch);
  add_plain(packets, true, scratch);
  return written(round, scratch);
}

void Qsgd::add(const Round&, std::span<const std::uint32_t> payload, float weight,
               std::span<const GradView> out) const {
  const Weighted packet{payload, weight};
  options_.elias ? add_texts(packet, out) : add_plain(std::span(&packet, 1), false, out);
}

void Qsgd::add_plain(std::span<const Weighted> packets, bool fresh,
                     std::span<const GradView> out) const {
  std::vector<Parts> rest;
  for (const auto& packet : packets) rest.push_back(split(packet.payload, out));
  for (const auto& view : out) {
    const auto n = std::ssize(view.data), words = options_.field_words(n);
    for (const auto& parts : rest) {
      expect_padding(parts.codes.first(words), n * options_.bits());
    }
    for_each_piece(n, [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
      const auto piece = view.data.subspan(begin, end - begin);
      if (fresh) std::ranges::fill(piece, 0.0F);
      std::array<std::uint8_t, kPiece> room;
      const auto codes = std::span(room).first(piece.size());
      for (std::size_t p = 0; p < packets.size(); ++p) {
        kernels::unpack_fields(
            rest[p].codes.subspan(options_.field_words(begin), options_.field_words(end - begin)),
            options_.bits(), codes);
        add_codes(codes, packets[p].weight * rest[p].norms[b], piece);
      }
    });
    for (auto& parts : rest) {
      parts.norms = parts.norms.subspan(options_.buckets.of(n));
      parts.codes = parts.codes.subspan(words);
    }
  }
}

void Qsgd::add_texts(const Weighted& packet, std::span<const GradView> out) const {
  Parts rest = split(packet.payload, out);
  for (std::size_t t = 0; t < out.size(); ++t) {
    const auto levels = room_for_codes(out[t].data.size());
    kernels::elias_decode(rest.codes.first(rest.lengths[t]), options_.levels, levels);
    for_each_piece(std::ssize(levels), [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
      add_codes(levels.subspan(begin, end - begin), packet.weight * rest.norms[b],
                out[t].data.subspan(begin, end - begin));
    });
    rest.norms = rest.norms.subspan(options_.buckets.of(std::ssize(levels)));
    rest.codes = rest.codes.subspan(rest.lengths[t]);
  }
}

void Qsgd::add_codes(std::span<const std::uint8_t> codes, float norm, std::span<float> out) const {
  if (!std::has_single_bit(options_.levels + 1U)) {  // or else there are no more codes than levels
    const auto largest = kernels::largest_level(codes, options_.levels);
    check<PacketError>(largest <= options_.levels, "packet: level {} of {}", largest,
                       options_.levels);
  }
  kernels::add_levels(codes, options_.levels, norm / static_cast<float>(options_.levels), out);
}

std::vector<Field> Qsgd::fields(const Round&, const Packet& up,
                                std::span<const GradView> shape) const {
  const auto parts = split(up.words(), shape);
  FieldList list(up);
  if (options_.elias) list.indices("lengths", std::ssize(parts.lengths));
  list.floats("norms", std::ssize(parts.norms));
  for (std::size_t t = 0; t < shape.size(); ++t) {
    const auto name = (options_.elias ? "text of " : "levels of ") + shape_text(shape[t]);
    list.words(name,
               options_.elias ? parts.lengths[t] : options_.field_words(std::ssize(shape[t].data)));
  }
  return list.take();
}

}  // namespace

std::unique_ptr<Compressor> make_qsgd(std::uint16_t number, Options& options,
                                      std::unique_ptr<Compressor>) {
  constexpr std::array<std::string_view, 2> kNorms{"l2", "max"}, kCodes{"plain", "elias"};
  QsgdOptions qsgd;
  check<UsageError>(!(options.has("bits") && options.has("levels")),
                    "qsgd: give bits= or levels=, not both");
  qsgd.by_bits = !options.has("levels");
  const auto bits = options.integer("bits", 4, 2, 8);
  const auto levels =
      options.integer("levels", (std::int64_t{1} << (bits - 1)) - 1, 1, kernels::kMostLevels);
  qsgd.levels = static_cast<int>(levels);
  qsgd.buckets.size =
      options.integer("bucket", qsgd.buckets.size, 0, std::numeric_limits<std::uint32_t>::max());
  check<UsageError>(qsgd.buckets.size % kernels::Draws::kBlock == 0,
                    "qsgd: bucket is a multiple of {}, or 0 for whole tensors; got {}",
                    kernels::Draws::kBlock, qsgd.buckets.size);
  qsgd.max_norm = options.choice("norm", "l2", kNorms) == "max";
  qsgd.elias = options.choice("code", "plain", kCodes) == "elias";
  return std::make_unique<Qsgd>(number, qsgd);
}

}  // namespace terse
