// QSGD: every value is rounded at random to one of s levels of its bucket's norm.
//
//   worker w:  for each bucket v of `bucket` values of a tensor (the last one is shorter):
//                N = |v|_2, or max |v_i|
//                l_i = floor(s |v_i| / N), and 1 more with probability s |v_i| / N - l_i
//              send N of every bucket, then sign(v_i) and l_i
//   exchange:  send the packets of all workers to every worker
//   worker:    mean_i = sum over w of N_w sign_i l_i / (s W)
//
// bucket=0 makes each tensor one bucket. bits=b means s = 2^(b-1) - 1: a sign and b - 1 bits of
// level. A value whose magnitude is N is exactly at level s. N = 0 gives zeros. NaN, an infinity or
// an N beyond the largest float makes its own bucket NaN.
//
// C is unbiased. For a bucket of n values E|C(v) - v|^2 <= min(n/(4 s^2), sqrt(n)/s) |v|^2: the
// variance of a value is at most (N/s)^2 / 4, and at most |v_i| N/s. (The paper has n/s^2.) With
// norm=l2 at most s (s + sqrt(n)) values are not 0 on average.
//
// Payload of T tensors with B buckets in all:
//   code=plain   f32 N[B];  for each tensor of n values ceil(n b / 32) words of n fields
//                4 B + 4 sum of ceil(n b / 32) bytes
//   code=elias   u32 words[T], the lengths of the bitstreams;  f32 N[B];  T bitstreams
//                the paper's code (kernels/elias.hpp), short where most levels are 0
// A code is the sign and the level of a value in one byte (kernels/levels.hpp). A field is a code
// packed into b bits, the level in the low ones. A bitstream is the Elias code of all codes of a
// tensor.
//
// Time: two passes and 16 random bits per value (32 where these do not decide). Bitstreams are
// written and read bit by bit.
// Source: Alistarh et al., arXiv 1610.02132.
#include "tersegrad/optim/compressors/qsgd.hpp"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressors/streams.hpp"
#include "tersegrad/optim/kernels/bit_fields.hpp"
#include "tersegrad/optim/kernels/elias.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {

// Writes N of every bucket to `norms` and calls send(first, codes) for pieces of the codes, in
// parallel.
template <class Send>
void Qsgd::quantise(const Round& round, const GradView& grad, std::span<float> norms,
                    Send send) const {
  const std::span<const float> x = grad.data;
  const auto draws = rounding_draws(round, grad);
  options_.buckets.for_each(
      std::ssize(x), [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
        const auto v = x.subspan(begin, end - begin);
        norms[b] = options_.max_norm ? kernels::largest_magnitude(v)
                                     : static_cast<float>(std::sqrt(kernels::sum_of_squares(v)));
        with_prefetch(x, end, std::ssize(v), [&] {
          parallel_for(std::ssize(v), kPiece, [&](std::int64_t from, std::int64_t to) {
            std::array<std::uint8_t, kPiece> codes_buffer;
            const auto codes = std::span(codes_buffer).first(to - from);
            // l_i as above; the draws decide the rounding
            kernels::encode_levels(v.subspan(from, to - from),
                                   {.levels = options_.levels, .norm = norms[b], .limit = norms[b]},
                                   draws, begin + from, codes);
            send(begin + from, codes);
          });
        });
      });
}

void Qsgd::encode(const Round& round, std::span<const GradView> grads, Packet& up) {
  if (options_.elias) return encode_bitstream(round, grads, up);
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

void Qsgd::add(const Round&, std::span<const std::uint32_t> payload, float weight,
               std::span<const GradView> out) const {
  if (options_.elias) return add_bitstream(payload, weight, out);
  auto parts = split(payload, out);
  for (const auto& view : out) {
    const auto n = std::ssize(view.data);
    const auto norms = parts.norms.next_floats(options_.buckets.of(n));
    const auto fields = parts.codes.next_words(options_.field_words(n));
    expect_padding(fields, n * options_.bits());
    for_each_piece(n, [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
      std::array<std::uint8_t, kPiece> codes_buffer;
      const auto codes = std::span(codes_buffer).first(end - begin);
      kernels::unpack_fields(
          fields.subspan(options_.field_words(begin), options_.field_words(end - begin)),
          options_.bits(), codes);
      add_codes(codes, weight * norms[b], view.data.subspan(begin, end - begin));
    });
  }
}

// out_i += N sign_i l_i / s
void Qsgd::add_codes(std::span<const std::uint8_t> codes, float norm, std::span<float> out) const {
  // Unless s + 1 is a power of two, the bits of a level can also hold levels above s: refuse them.
  if (!std::has_single_bit(options_.levels + 1U)) {
    const auto largest = kernels::largest_level(codes, options_.levels);
    check<PacketError>(largest <= options_.levels, "packet: expected levels of at most {}; got {}",
                       options_.levels, largest);
  }
  kernels::add_levels(codes, options_.levels, norm / static_cast<float>(options_.levels), out);
}

Qsgd::Parts Qsgd::split(std::span<const std::uint32_t> payload,
                        std::span<const GradView> views) const {
  PayloadReader in(payload);
  const auto lengths = in.next_words(options_.elias ? views.size() : 0);
  const PayloadReader norms(in.next_words(options_.buckets.of(views)));
  const auto words = options_.elias
                         ? std::accumulate(lengths.begin(), lengths.end(), std::uint64_t{0})
                         : static_cast<std::uint64_t>(options_.field_words(views));
  const PayloadReader codes(in.next_words(words));
  in.expect_end();
  return {lengths, norms, codes};
}

void Qsgd::encode_bitstream(const Round& round, std::span<const GradView> grads, Packet& up) {
  const auto buckets = options_.buckets.of(grads);
  std::vector<std::uint32_t> norms(static_cast<std::size_t>(buckets)), lengths, bitstreams;
  PayloadWriter all_norms(norms);
  for (const auto& grad : grads) {
    const auto before = bitstreams.size();
    const auto codes = scratch_for_codes(grad.data.size());
    quantise(round, grad, all_norms.next_floats(options_.buckets.of(std::ssize(grad.data))),
             [&](std::int64_t first, std::span<const std::uint8_t> piece) {
               std::ranges::copy(piece, codes.begin() + first);
             });
    kernels::elias_encode(codes, options_.levels, bitstreams);
    lengths.push_back(static_cast<std::uint32_t>(bitstreams.size() - before));
  }
  PayloadWriter payload(
      start(round, grads, std::ssize(lengths) + buckets + std::ssize(bitstreams), up));
  for (const auto* part : {&lengths, &norms, &bitstreams}) {
    std::ranges::copy(*part, payload.next_words(part->size()).begin());
  }
}

void Qsgd::add_bitstream(std::span<const std::uint32_t> payload, float weight,
                         std::span<const GradView> out) const {
  auto parts = split(payload, out);
  for (std::size_t t = 0; t < out.size(); ++t) {
    const auto n = std::ssize(out[t].data);
    const auto norms = parts.norms.next_floats(options_.buckets.of(n));
    const auto codes = scratch_for_codes(out[t].data.size());
    kernels::elias_decode(parts.codes.next_words(parts.lengths[t]), options_.levels, codes);
    for_each_piece(n, [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
      add_codes(codes.subspan(begin, end - begin), weight * norms[b],
                out[t].data.subspan(begin, end - begin));
    });
  }
}

std::vector<Field> Qsgd::fields(const Round&, const Packet& up,
                                std::span<const GradView> shape) const {
  const auto parts = split(up.words(), shape);
  FieldList list(up);
  if (options_.elias) list.indices("lengths", std::ssize(parts.lengths));
  list.floats("norms", options_.buckets.of(shape));
  for (std::size_t t = 0; t < shape.size(); ++t) {
    const auto name = (options_.elias ? "bitstream of " : "levels of ") + shape_text(shape[t]);
    list.words(name,
               options_.elias ? parts.lengths[t] : options_.field_words(std::ssize(shape[t].data)));
  }
  return list.take();
}

std::string Qsgd::spec() const {
  const auto levels = options_.by_bits ? fmt::format("bits={}", options_.bits())
                                       : fmt::format("levels={}", options_.levels);
  return fmt::format("qsgd:{},bucket={},norm={},code={}", levels, options_.buckets.size,
                     options_.max_norm ? "max" : "l2", options_.elias ? "elias" : "plain");
}

std::unique_ptr<Compressor> make_qsgd(std::uint16_t number, Options& options,
                                      std::unique_ptr<Compressor>) {
  constexpr std::array<std::string_view, 2> kNorms{"l2", "max"}, kCodes{"plain", "elias"};
  QsgdOptions qsgd;
  check<UsageError>(!(options.has("bits") && options.has("levels")),
                    "qsgd: expected bits= or levels=; got both");
  qsgd.by_bits = !options.has("levels");
  const auto bits = options.integer("bits", 4, 2, 8);
  const auto levels =
      options.integer("levels", (std::int64_t{1} << (bits - 1)) - 1, 1, kernels::kMostLevels);
  qsgd.levels = static_cast<int>(levels);
  qsgd.buckets = parse_buckets("qsgd", options, qsgd.buckets.size);
  qsgd.max_norm = options.choice("norm", "l2", kNorms) == "max";
  qsgd.elias = options.choice("code", "plain", kCodes) == "elias";
  return std::make_unique<Qsgd>(number, qsgd);
}

}  // namespace terse
