// SSDM: stochastic sign descent with momentum, for workers that share one objective.
//
//   worker w:  m_w = beta m_w + (1 - beta) g_w                m_w = g_w at first
//              s_i = + with the probability 1/2 + m_i / (2 |m_w|_2), - otherwise, independently
//              send s, one bit per coordinate; if m_w = 0, the packet has 0 contributors
//   exchange:  S = sum over w of s_w                           integers of [-M, M], M voters
//              send the number of minus signs of every coordinate: S = M - 2 minus
//   worker:    mean = S / W
//
// The theorem holds where the gradient of every worker is an unbiased estimate of the gradient of
// the same f. The authors withdrew the claim for workers with different data in version 6 of the
// paper (June 2026): the proof of its theorem 8 needs that assumption, and the version adds a
// result on the limitation. We see it too. A packet has no norm, and there is no error feedback, so
// every worker has the same influence: where local gradients differ in length, SSDM settles at a
// point where their directions cancel, not where their sum does (in one dimension at the median).
// `ssdm:scaled` sends the norm as well and settles where the sum cancels.
//
// |m_w| is the norm of the whole model, which must then be one bucket. scope=tensor takes each
// tensor by itself: a zero tensor of a model that is not zero then sends fair coins.
//
// Payload: 4 ceil(d/32) bytes up. Down, ceil(log2(M + 1)) planes of bits. S has the parity of M, so
// that is a bit less than the 2M + 1 integers of [-M, M] would take.
// Source: Safaryan and Richtárik, arXiv 1905.12938, algorithm 3 (update and sum as remembered from
// it; its theorem takes beta = 1 - 1/sqrt(K) and the rate K^(-3/4) for K steps); version 6 for the
// scope.
#include <fmt/format.h>

#include <bit>
#include <limits>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/compressors/scope.hpp"
#include "tersegrad/optim/compressors/streams.hpp"
#include "tersegrad/optim/decorators/momentum.hpp"
#include "tersegrad/optim/kernels/bits.hpp"
#include "tersegrad/optim/kernels/stochastic_sign.hpp"
#include "tersegrad/optim/kernels/tally.hpp"

namespace terse {

CompressorFactory make_stochastic_sign;

namespace {

using kernels::words_for;

constexpr std::size_t kMostVotes = 65535;  // the most that a tally counts

// The number of planes for counts of 0 … voters; at least 1, so that a packet can be sliced.
std::int64_t planes_for(std::uint32_t voters) {
  return std::max<std::int64_t>(1, std::bit_width(voters));
}

class Ssdm final : public Compressor {
 public:
  Ssdm(std::uint16_t number, Scope scope) : number_(number), scope_(scope) {}

  std::string spec() const override {
    return fmt::format("ssdm:beta=0,scope={}", to_string(scope_));
  }
  Traits traits(std::uint64_t) const override {
    return {.sliceable = true, .whole_model = scope_ == Scope::model, .scale_free = true};
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override;
  void combine(const Round& round, std::span<const GradView> shape, std::span<const Packet> up,
               std::span<const float> weights, Packet& down) override;

  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> scratch) override {
    unpack(round, down, static_cast<float>(round.workers), scratch);
    return written(round, scratch);
  }
  // A worker's own packet is read like the sum of one voter.
  void reconstruct(const Round& round, const Packet& own,
                   std::span<const GradView> out) const override {
    unpack(round, own, 1, out);
  }

  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView> shape) const override {
    FieldList list(up);
    list.words("sign bits", words_for(count(shape)));
    return list.take();
  }

 private:
  void unpack(const Round& round, const Packet& packet, float workers,
              std::span<const GradView> out) const;

  std::uint16_t number_;
  Scope scope_;
};

void Ssdm::encode(const Round& round, std::span<const GradView> grads, Packet& up) {
  double squares = 0;
  for (const auto& grad : grads) squares += kernels::sum_of_squares(grad.data);
  auto header = header_for(round, number_, PacketKind::up, grads.size());
  header.contributors = squares == 0 ? 0 : 1;
  const auto words = static_cast<std::size_t>(words_for(count(grads)));
  up.start(header, words * sizeof(std::uint32_t));
  std::ranges::fill(up.words(), 0U);
  if (squares == 0) return;

  std::int64_t at = 0;  // the tensor's first bit in a plane
  for (const auto& grad : grads) {
    const auto draws = rounding_draws(round, grad);
    if (scope_ == Scope::tensor) squares = kernels::sum_of_squares(grad.data);
    constexpr float kCoins = std::numeric_limits<float>::infinity();
    kernels::pack_stochastic(grad.data,
                             squares > 0 ? static_cast<float>(std::sqrt(squares)) : kCoins, draws,
                             at, up.words());
    at += std::ssize(grad.data);
  }
}

void Ssdm::combine(const Round& round, std::span<const GradView>, std::span<const Packet> up,
                   std::span<const float>, Packet& down) {
  check<PacketError>(!up.empty() && up.size() <= kMostVotes, "ssdm: expected 1 to {} votes; got {}",
                     kMostVotes, up.size());
  const auto words = words_for(round.count);
  const auto tensors = up.front().header().tensors;
  std::vector<std::span<const std::uint32_t>> votes;
  for (const auto& packet : up) {
    packet.expect(number_, round.phase, tensors);
    const auto signs = expect_words(packet, words);
    expect_padding(signs, round.count);
    if (packet.header().contributors != 0) votes.push_back(signs);
  }

  auto header = header_for(round, number_, PacketKind::down, tensors);
  header.contributors = static_cast<std::uint16_t>(votes.size());
  const auto planes = planes_for(header.contributors);
  down.start(header, static_cast<std::size_t>(planes * words) * sizeof(std::uint32_t));
  const auto counts = down.words();
  kernels::for_each_tally_block(words, [&](std::int64_t begin, std::int64_t end) {
    const auto n = static_cast<int>(end - begin);
    const kernels::Tally minus(votes.size(), n,
                               [&](std::size_t v, const kernels::TallyLanes& lanes, auto& to) {
                                 lanes.load(votes[v].data() + begin, to);
                               });
    for (int p = 0; p < planes; ++p) {
      for (int w = 0; w < n; ++w) counts[p * words + begin + w] = minus.word(p, w);
    }
  });
}

void Ssdm::unpack(const Round& round, const Packet& packet, float workers,
                  std::span<const GradView> out) const {
  packet.expect(number_, round.phase, out.size());
  const std::uint32_t voters = packet.header().contributors;
  const auto n = count(out);
  const auto planes = planes_for(voters), words = words_for(n);
  const auto all = expect_words(packet, planes * words);
  std::vector<std::span<const std::uint32_t>> plane;
  for (std::int64_t p = 0; p < planes; ++p) {
    plane.push_back(
        all.subspan(static_cast<std::size_t>(p * words), static_cast<std::size_t>(words)));
    expect_padding(plane.back(), n);
  }
  std::int64_t at = 0;  // the tensor's first bit in a plane
  for (const auto& view : out) {
    kernels::unpack_counts(
        plane, at,
        [voters = static_cast<float>(voters), workers](std::uint32_t minus) {
          return (voters - 2 * static_cast<float>(minus)) / workers;
        },
        view.data);
    at += std::ssize(view.data);
  }
}

}  // namespace

std::unique_ptr<Compressor> make_ssdm(std::uint16_t number, Options& options,
                                      std::unique_ptr<Compressor>) {
  const MomentumOptions momentum{.beta = options.number("beta", 0.9, 0, 1), .init = "first"};
  const bool scaled = options.flag("scaled", false);
  const auto scope = parse_scope(options, "model");
  const auto spec =
      fmt::format("ssdm:beta={},scaled={},scope={}", momentum.beta, scaled, to_string(scope));
  std::unique_ptr<Compressor> signs;
  if (scaled) {
    Options norm(
        "ssdm", {.name = "stochastic_sign", .options = {{"scope", std::string(to_string(scope))}}});
    signs = make_stochastic_sign(number, norm, nullptr);
  } else {
    signs = std::make_unique<Ssdm>(number, scope);
  }
  return make_momentum(momentum, std::move(signs), spec);
}

}  // namespace terse
