// Scaled sign: the sign of every coordinate, times the mean magnitude of its tensor.
//
//   worker w:  for each tensor x of n values: s = |x|_1 / n
//              send s of every tensor, then sign(x), one bit per coordinate
//   exchange:  send the packets of all workers to every worker
//   worker:    mean = sum over w of s_w sign_w / W
//
// C(x) = s sign(x) has |C(x) - x|_2^2 = (1 - phi(x)) |x|_2^2 with phi(x) = |x|_1^2 / (n |x|_2^2),
// which is at least 1/n. C is thus a contraction, which is what error feedback needs to converge:
// sign+ef is EF-signSGD. The sign bit is set iff x < 0, so a zero counts as +, in the residual as
// well as in the packet. A NaN or infinity makes its own tensor's s NaN or infinite.
//
// Payload of a worker's packet: 4 T + 4 ceil(d/32) bytes for T tensors and d values in all. Every
// worker receives the packets of all others.
// Time: one pass, with a residual too; decode O(W d).
// Source: EF-signSGD of Karimireddy et al., arXiv 1901.09847; "Sign+Norm" of arXiv 1905.13727.
#include "tersegrad/optim/compressors/sign.hpp"

#include <algorithm>

#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/kernels/bits.hpp"
#include "tersegrad/optim/kernels/feedback.hpp"

namespace terse {

void Sign::encode(const Round& round, std::span<const GradView> grads, Packet& up) {
  const auto [s, signs] = start_signs(round, grads, up);
  std::int64_t at = 0;  // the tensor's first bit in the plane of signs
  for (std::size_t t = 0; t < grads.size(); ++t) {
    const auto x = grads[t].data;
    const auto n = std::ssize(x);
    const double norm1 = kernels::pack_signs(x, at, signs);
    s[t] = n == 0 ? 0 : static_cast<float>(norm1 / static_cast<double>(n));
    at += n;
  }
}

void Sign::add(const Round&, std::span<const std::uint32_t> payload, float weight,
               std::span<const GradView> out) const {
  const Parts parts(payload, out);
  std::int64_t at = 0;  // the tensor's first bit in the plane of signs
  for (std::size_t t = 0; t < out.size(); ++t) {
    kernels::add_signs(parts.signs, at, weight * parts.scales[t], out[t].data);
    at += std::ssize(out[t].data);
  }
}

std::optional<double> Sign::contraction(std::uint64_t, std::span<const GradView> shape) const {
  std::size_t most = 1;
  for (const auto& view : shape) most = std::max(most, view.data.size());
  return 1 / static_cast<double>(most);
}

std::pair<std::span<float>, std::span<std::uint32_t>> Sign::start_signs(
    const Round& round, std::span<const GradView> grads, Packet& up) const {
  PayloadWriter payload(
      start(round, grads, std::ssize(grads) + kernels::words_for(count(grads)), up));
  const auto scales = payload.next_floats(grads.size());
  const auto signs = payload.rest();
  std::ranges::fill(signs, 0U);
  return {scales, signs};
}

Sign::Parts::Parts(std::span<const std::uint32_t> payload, std::span<const GradView> shape) {
  PayloadReader in(payload, std::ssize(shape) + kernels::words_for(count(shape)));
  scales = in.next_floats(shape.size());
  signs = in.rest();
  expect_padding(signs, count(shape));
}

std::vector<Field> Sign::fields(const Round&, const Packet& up,
                                std::span<const GradView> shape) const {
  FieldList list(up);
  list.floats("scales", std::ssize(shape));
  list.words("sign bits", kernels::words_for(count(shape)));
  return list.take();
}

std::unique_ptr<Compressor> make_sign(std::uint16_t number, Options&, std::unique_ptr<Compressor>) {
  return std::make_unique<Sign>(number);
}

}  // namespace terse
