// Scaled sign: the sign of every coordinate, times the mean magnitude of its tensor.
//
//   worker w:  for each tensor x of n values: s = |x|_1 / n
//              send s of every tensor, then sign(x), one bit a coordinate
//   exchange:  pass on what all workers sent, each s times the worker's share of the mean
//   worker:    mean = sum over w of s_w sign_w
//
// C(x) = s sign(x) keeps the share phi(x) = |x|_1^2 / (n |x|_2^2) of x's energy exactly, so with
// error feedback it converges: sign+ef is EF-signSGD. The bit is set iff x < 0; a zero counts as +
// in the residual as well as on the wire. A NaN or infinity makes its own tensor's s like it.
//
// Payload: 4 T + 4 ceil(d/32) bytes for T tensors; down, that for every worker (an all-gather).
// Time: one pass for the bits and one for the norms; decode O(W d).
// Source: Karimireddy et al., arXiv 1901.09847, algorithm 2; "Sign+Norm" of arXiv 1905.13727.
#include "core/error.hpp"
#include "optim/compressors/payload.hpp"
#include "optim/kernels/bits.hpp"

namespace terse {
namespace {

using codec::words_for;

class Sign final : public Compressor {
 public:
  explicit Sign(std::uint16_t number) : number_(number) {}

  std::string spec() const override { return "sign"; }
  Traits traits(std::uint64_t) const override { return {}; }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    const auto words = static_cast<std::size_t>(words_for(count(grads)));
    up.start(header_for(round, number_, PacketKind::up, grads.size()),
             (grads.size() + words) * sizeof(std::uint32_t));
    const auto scales = as_floats(up.words().first(grads.size()));
    const auto signs = up.words().last(words);
    std::ranges::fill(signs, 0U);
    std::int64_t at = 0;
    for (std::size_t t = 0; t < grads.size(); ++t) {
      const auto x = grads[t].data;
      const auto n = std::ssize(x);
      scales[t] = n == 0 ? 0 : static_cast<float>(codec::norm1(x) / static_cast<double>(n));
      codec::pack_negative(x, at, signs);
      at += n;
    }
  }

  void combine(const Round& round, std::span<const Packet> up, std::span<const float> weights,
               Packet& down) override {
    check<PacketError>(!up.empty() && up.size() <= 65535, "sign: 1 to 65535 packets; got {}",
                       up.size());
    const auto tensors = up.front().header().tensors;
    const auto own = static_cast<std::int64_t>(tensors) + words_for(round.count);
    auto header = header_for(round, number_, PacketKind::down, tensors);
    header.weight = static_cast<std::uint16_t>(up.size());
    for (const auto& packet : up) {
      packet.expect(number_, round.phase, tensors);
      expect_words(packet, own);
    }
    down.start(header, up.size() * static_cast<std::size_t>(own) * sizeof(std::uint32_t));
    auto rest = down.words();
    for (std::size_t w = 0; w < up.size(); ++w) {
      std::ranges::copy(up[w].words(), rest.begin());
      for (float& scale : as_floats(rest.first(tensors))) scale *= weights[w];
      rest = rest.subspan(static_cast<std::size_t>(own));
    }
  }

  void decode(const Round& round, const Packet& down, std::span<const GradView> out) override {
    sum(round, down, out);
  }

  void said(const Round& round, const Packet& own, std::span<const GradView> out) const override {
    sum(round, own, out);
  }

  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView> shape) const override {
    FieldList list(up);
    list.floats("scales", std::ssize(shape));
    list.words("sign bits", words_for(count(shape)));
    return list.take();
  }

 private:
  // out = the sum of all workers' s sign, in the order of the workers.
  void sum(const Round& round, const Packet& packet, std::span<const GradView> out) const {
    packet.expect(number_, round.phase, out.size());
    const auto n = count(out);
    const auto own = std::ssize(out) + words_for(n);
    const int workers = packet.header().weight;
    check<PacketError>(workers > 0, "packet: from no workers");
    auto rest = expect_words(packet, workers * own);
    for (int w = 0; w < workers; ++w) {
      const auto scales = as_floats(rest.first(out.size()));
      const auto signs = rest.subspan(out.size(), static_cast<std::size_t>(words_for(n)));
      expect_padding(signs, n);
      std::int64_t at = 0;
      for (std::size_t t = 0; t < out.size(); ++t) {
        const auto apply = w == 0 ? codec::unpack_signs : codec::add_signs;
        apply(signs, at, scales[t], out[t].data);
        at += std::ssize(out[t].data);
      }
      rest = rest.subspan(static_cast<std::size_t>(own));
    }
  }

  std::uint16_t number_;
};

}  // namespace

std::unique_ptr<Compressor> make_sign(std::uint16_t number, Options&, std::unique_ptr<Compressor>) {
  return std::make_unique<Sign>(number);
}

}  // namespace terse
