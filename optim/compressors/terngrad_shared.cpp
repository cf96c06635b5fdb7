// TernGrad with one scale for all workers: their packets are integers and can be added up.
//
//   phase 0    worker:    send s_w of every bucket
//              exchange:  s = the largest s_w
//   phase 1    worker:    send the bits as in terngrad.cpp, drawn with s instead of s_w
//              exchange:  t_i = W + sum over w of b_i sign(x_i)     0 … 2W, ceil(log2(2W+1)) bits
//              worker:    mean_i = s (t_i - W) / W
//
// C stays unbiased and has the variance of the scale s. Every worker counts once. The packets are
// gathered, because a compressor is sliceable in all of its phases or in none, and scales are not
// bits of coordinates. A NaN or infinity makes the bucket NaN.
//
// Payload: 8 ceil(d/32) + 4 B bytes for B buckets; the sums are 4 ceil(d/32) bytes a bit.
// Time: two passes (four if clipped) and 16 random bits per value (32 where these do not decide).
// Source: Wen et al., arXiv 1705.07878, section 3.2.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/simd/vectorized.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/compressors/terngrad.hpp"
#include "tersegrad/optim/kernels/bits.hpp"
#include "tersegrad/optim/kernels/tally.hpp"
#include "tersegrad/optim/kernels/vector.hpp"
#include "tersegrad/optim/tensor_state.hpp"

namespace terse {
namespace {

using kernels::words_for;

constexpr std::size_t kMostWorkers = 32767;  // a tally counts to 2W <= 65534

// The number of bits of a sum t_i of so many workers, 0 … 2W.
int planes_for(std::size_t workers) {
  return static_cast<int>(std::bit_width(2 * workers));
}

// The sums t_i in a down packet: bit p of all sums is in plane p.
class Sums {
 public:
  Sums(const Packet& packet, int workers, std::int64_t n)
      : words_(words_for(n)), planes_(planes_for(static_cast<std::size_t>(workers))) {
    all_ = expect_words(packet, planes_ * words_);
    for (int p = 0; p < planes_; ++p) expect_padding(plane(p), n);
  }

  // The sums of the 32 coordinates from `at` on.
  std::array<int, kernels::kWordBits> from(std::int64_t at) const {
    std::array<int, kernels::kWordBits> sums{};
    for (int p = 0; p < planes_; ++p) {
      const auto bits = kernels::bits_from(plane(p), at);
      for (std::size_t i = 0; i < sums.size(); ++i)
        sums[i] |= static_cast<int>(bits >> i & 1U) << p;
    }
    return sums;
  }

 private:
  std::span<const std::uint32_t> plane(int p) const { return all_.subspan(p * words_, words_); }

  std::int64_t words_;
  int planes_;
  std::span<const std::uint32_t> all_;
};

class SharedTernGrad final : public Compressor {
 public:
  SharedTernGrad(std::uint16_t number, const terngrad::Scaling& scaling)
      : number_(number), scaling_(scaling) {}

  std::string spec() const override { return scaling_.spec(true); }
  Traits traits(std::uint64_t) const override { return {.phases = 2, .self_contained = false}; }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    const auto words = round.phase == 0 ? scaling_.buckets.of(grads) : 2 * words_for(count(grads));
    start_packet(round, number_, grads.size(), words, up);
    if (round.phase == 0) return scaling_.write(grads, up.floats());
    const auto scales = scales_of(grads);
    auto limits = scales;
    if (scaling_.clip > 0) scaling_.write(grads, limits);
    ternary_.write(round, grads, scaling_.buckets, scales, limits, up.words());
  }

  void combine(const Round& round, std::span<const GradView> shape, std::span<const Packet> up,
               std::span<const float>, Packet& down) override {
    check<PacketError>(!up.empty() && up.size() <= kMostWorkers,
                       "terngrad: expected 1 to {} packets; got {}", kMostWorkers, up.size());
    for (const auto& packet : up) packet.expect(number_, round.phase, shape.size());
    auto header = header_for(round, number_, PacketKind::down, shape.size());
    header.contributors = static_cast<std::uint16_t>(up.size());
    if (round.phase == 0) {
      combine_scales(header, scaling_.buckets.of(shape), up, down);
    } else {
      add_up(header, count(shape), up, down);
    }
  }

  void advance(const Round& round, const Packet& down, std::span<const GradView> shape) override;
  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> scratch) override;
  void reconstruct(const Round& round, const Packet& own,
                   std::span<const GradView> out) const override;

  std::vector<Field> fields(const Round& round, const Packet& up,
                            std::span<const GradView> shape) const override {
    FieldList list(up);
    if (round.phase == 0) {
      list.floats("scales", scaling_.buckets.of(shape));
    } else {
      list.words("nonzero bits", words_for(count(shape)));
      list.words("sign bits", words_for(count(shape)));
    }
    return list.take();
  }

  void serialize(Archive& archive) override { scales_.serialize(archive, "terngrad.scales"); }

 private:
  // The scales in a packet as the bits of floats: in the order of magnitude, NaN largest.
  static std::span<const std::uint32_t> magnitudes(const Packet& packet, std::int64_t buckets) {
    const auto words = expect_words(packet, buckets);
    for (const auto word : words)
      check<PacketError>(word >> 31 == 0, "packet: expected a scale of at least 0; got {}",
                         std::bit_cast<float>(word));
    return words;
  }
  static void combine_scales(const PacketHeader& header, std::int64_t buckets,
                             std::span<const Packet> up, Packet& down);
  static void add_up(const PacketHeader& header, std::int64_t n, std::span<const Packet> up,
                     Packet& down);
  // out_i = scale (t_i - workers) / workers, with the sums t from `at` on.
  static void read_sums(const Sums& sums, std::int64_t at, int workers, float scale,
                        std::span<float> out);

  std::vector<float> scales_of(std::span<const GradView> views) const {
    std::vector<float> scales;
    for (const auto& view : views) {
      const auto s = scales_.existing(view.id, buckets_of(view));
      scales.insert(scales.end(), s.begin(), s.end());
    }
    return scales;
  }
  std::int64_t buckets_of(const GradView& view) const {
    return scaling_.buckets.of(std::ssize(view.data));
  }

  std::uint16_t number_;
  terngrad::Scaling scaling_;
  terngrad::Ternary ternary_;
  TensorState scales_;  // s, from the end of phase 0 to the end of phase 1
};

void SharedTernGrad::combine_scales(const PacketHeader& header, std::int64_t buckets,
                                    std::span<const Packet> up, Packet& down) {
  down.start(header, static_cast<std::size_t>(buckets) * sizeof(float));
  const auto largest = down.words();
  std::ranges::fill(largest, 0U);
  for (const auto& packet : up) {
    const auto scales = magnitudes(packet, buckets);
    for (std::size_t b = 0; b < scales.size(); ++b) largest[b] = std::max(largest[b], scales[b]);
  }
}

// t = W + sum of b sign(x) is the number of + votes and of votes that are not -.
void SharedTernGrad::add_up(const PacketHeader& header, std::int64_t n, std::span<const Packet> up,
                            Packet& down) {
  std::vector<terngrad::Planes<const std::uint32_t>> votes;
  for (const auto& packet : up) votes.push_back(terngrad::checked_planes(packet.words(), n));
  const auto words = words_for(n);
  const int planes = planes_for(up.size());
  down.start(header, static_cast<std::size_t>(planes * words) * sizeof(std::uint32_t));
  const auto sums = down.words();
  // Every worker has two votes: one if it votes +, and one unless it votes -.
  kernels::for_each_tally_block(words, [&](std::int64_t begin, std::int64_t end) {
    const auto block = static_cast<int>(end - begin);
    const kernels::Tally tally(2 * votes.size(), block,
                               [&](std::size_t v, const kernels::TallyLanes& lanes, auto& to) {
                                 kernels::TallyLanes::Words nonzero, negative;
                                 lanes.load(votes[v / 2].nonzero.data() + begin, nonzero);
                                 lanes.load(votes[v / 2].negative.data() + begin, negative);
                                 to = v % 2 == 0 ? nonzero & ~negative : ~(nonzero & negative);
                               });
    for (int p = 0; p < planes; ++p) {
      for (int w = 0; w < block; ++w) sums[p * words + begin + w] = tally.word(p, w);
    }
  });
  if (n % kernels::kWordBits == 0) return;
  for (auto last = words - 1; last < std::ssize(sums);
       last += words) {  // bits beyond the last coordinate
    sums[last] &= ~(~0U << (n % kernels::kWordBits));
  }
}

void SharedTernGrad::advance(const Round& round, const Packet& down,
                             std::span<const GradView> shape) {
  down.expect(number_, round.phase, shape.size());
  magnitudes(down, scaling_.buckets.of(shape));
  PayloadReader scales(down.words());
  for (const auto& view : shape) {
    kernels::copy_to(scales.next_floats(buckets_of(view)), scales_.at(view.id, buckets_of(view)));
  }
}

const GradientSource& SharedTernGrad::decode(const Round& round, const Packet& down,
                                             std::span<const GradView> scratch) {
  down.expect(number_, round.phase, scratch.size());
  const int workers = static_cast<int>(expect_contributors(down));
  const Sums sums(down, workers, count(scratch));
  std::int64_t at = 0;  // the tensor's first bit in a plane
  for (const auto& view : scratch) {
    const auto scales = scales_.existing(view.id, buckets_of(view));
    scaling_.buckets.for_each(
        std::ssize(view.data), [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
          read_sums(sums, at + begin, workers, scales[b], view.data.subspan(begin, end - begin));
        });
    at += std::ssize(view.data);
  }
  return written(round, scratch);
}

void SharedTernGrad::read_sums(const Sums& sums, std::int64_t at, int workers, float scale,
                               std::span<float> out) {
  const float step = scale / static_cast<float>(workers);
  parallel_for(std::ssize(out), kernels::kGrain, [&](std::int64_t begin, std::int64_t end) {
    const auto largest = vectorized([&] {
      int most = 0;
      for (auto first = begin; first < end; first += kernels::kWordBits) {
        const auto sum = sums.from(at + first);
        for (std::int64_t i = 0; i < std::min(kernels::kWordBits, end - first); ++i) {
          most = std::max(most, sum[i]);
          out[first + i] = static_cast<float>(sum[i] - workers) * step;
        }
      }
      return most;
    });
    check<PacketError>(largest <= 2 * workers, "packet: expected sums of at most {}; got {}",
                       2 * workers, largest);
  });
}

void SharedTernGrad::reconstruct(const Round& round, const Packet& own,
                                 std::span<const GradView> out) const {
  own.expect(number_, round.phase, out.size());
  const auto planes = terngrad::checked_planes(own.words(), count(out));
  std::int64_t at = 0;  // the tensor's first bit in a plane
  for (const auto& view : out) {
    const auto scales = scales_.existing(view.id, buckets_of(view));
    std::ranges::fill(view.data, 0.0F);
    scaling_.buckets.for_each(
        std::ssize(view.data), [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
          kernels::add_ternary(planes.nonzero, planes.negative, at + begin, scales[b],
                               view.data.subspan(begin, end - begin));
        });
    at += std::ssize(view.data);
  }
}

}  // namespace

std::unique_ptr<Compressor> make_shared_terngrad(std::uint16_t number,
                                                 const terngrad::Scaling& scaling) {
  return std::make_unique<SharedTernGrad>(number, scaling);
}

}  // namespace terse
