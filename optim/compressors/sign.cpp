// Scaled sign: the sign of every coordinate, times one magnitude for each tensor or for the model.
//
//   worker w:  for each tensor x of n values: s = |x|_1 / n
//              send s of every tensor, then sign(x), one bit per coordinate
//   exchange:  send the packets of all workers to every worker
//   worker:    mean = sum over w of s_w sign_w / W
//
// scale=l2 takes s = |x|_2 / sqrt(n), which keeps the norm of x. scope=model takes all tensors
// together as one x, with one s. 1-bit Adam has both (decorators/onebit_adam.cpp).
//
// C(x) = s sign(x) has |C(x) - x|_2^2 = (1 - phi(x)) |x|_2^2 with phi(x) = |x|_1^2 / (n |x|_2^2),
// which is at least 1/n. C is thus a contraction, which is what error feedback needs to converge:
// sign+ef is EF-signSGD. With scale=l2 the error is 2 (1 - sqrt(phi(x))) |x|_2^2, which is more
// than |x|_2^2 where phi < 1/4: not a contraction. The sign bit is set iff x < 0, so a zero counts
// as +, in the residual as well as in the packet. A NaN or infinity makes its own s NaN or
// infinite.
//
// Payload of a worker's packet: 4 T + 4 ceil(d/32) bytes for T tensors and d values in all, with
// scope=model T = 1. Every worker receives the packets of all others.
// Time: one pass, with a residual too, and one more with scale=l2; decode O(W d).
// Source: EF-signSGD of Karimireddy et al., arXiv 1901.09847; "Sign+Norm" of arXiv 1905.13727;
// scale=l2,scope=model: 1-bit Adam of Tang et al., arXiv 2102.02888.
#include "tersegrad/optim/compressors/sign.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/kernels/bits.hpp"
#include "tersegrad/optim/kernels/feedback.hpp"

namespace terse {

void Sign::ScaleWriter::add(std::span<const float> x, double norm1) {
  const bool squares = sign_.scale_ == SignScale::l2;
  sum_ += squares ? kernels::sum_of_squares(x) : norm1;
  n_ += static_cast<double>(x.size());
  const double mean = n_ == 0 ? 0 : sum_ / n_;
  scales_[0] = static_cast<float>(squares ? std::sqrt(mean) : mean);
  if (sign_.scope_ == Scope::model) return;
  scales_ = scales_.subspan(1);
  sum_ = n_ = 0;
}

void Sign::encode(const Round& round, std::span<const GradView> grads, Packet& up) {
  const auto [s, signs] = start_signs(round, grads, up);
  ScaleWriter scales(*this, s);
  std::int64_t at = 0;  // the tensor's first bit in the plane of signs
  for (const auto& grad : grads) {
    scales.add(grad.data, kernels::pack_signs(grad.data, at, signs));
    at += std::ssize(grad.data);
  }
}

void Sign::add(const Round&, std::span<const std::uint32_t> payload, float weight,
               std::span<const GradView> out) const {
  const Parts parts(payload, out, scope_);
  std::int64_t at = 0;  // the tensor's first bit in the plane of signs
  for (std::size_t t = 0; t < out.size(); ++t) {
    kernels::add_signs(parts.signs, at, weight * parts.scale(t), out[t].data);
    at += std::ssize(out[t].data);
  }
}

std::optional<double> Sign::contraction(std::uint64_t, std::span<const GradView> shape) const {
  if (scale_ == SignScale::l2) return std::nullopt;
  std::int64_t most = 1;
  if (scope_ == Scope::model) most = std::max(most, count(shape));
  for (const auto& view : shape) most = std::max(most, std::ssize(view.data));
  return 1 / static_cast<double>(most);
}

std::pair<std::span<float>, std::span<std::uint32_t>> Sign::start_signs(
    const Round& round, std::span<const GradView> grads, Packet& up) const {
  PayloadWriter payload(start(round, grads, scales(grads) + kernels::words_for(count(grads)), up));
  const auto all = payload.next_floats(scales(grads));
  std::ranges::fill(all, 0.0F);
  const auto signs = payload.rest();
  std::ranges::fill(signs, 0U);
  return {all, signs};
}

Sign::Parts::Parts(std::span<const std::uint32_t> payload, std::span<const GradView> shape,
                   Scope scope) {
  const auto n = scope == Scope::model ? 1 : std::ssize(shape);
  PayloadReader in(payload, n + kernels::words_for(count(shape)));
  scales = in.next_floats(n);
  signs = in.rest();
  expect_padding(signs, count(shape));
}

std::vector<Field> Sign::fields(const Round&, const Packet& up,
                                std::span<const GradView> shape) const {
  FieldList list(up);
  list.floats("scales", static_cast<std::int64_t>(scales(shape)));
  list.words("sign bits", kernels::words_for(count(shape)));
  return list.take();
}

std::string Sign::spec() const {
  return fmt::format("sign:scale={},scope={}", scale_ == SignScale::l1 ? "l1" : "l2",
                     to_string(scope_));
}

std::unique_ptr<Compressor> make_sign(std::uint16_t number, Options& options,
                                      std::unique_ptr<Compressor>) {
  constexpr std::array<std::string_view, 2> kScales{"l1", "l2"};
  const auto scale = options.choice("scale", "l1", kScales);
  return std::make_unique<Sign>(number, scale == "l1" ? SignScale::l1 : SignScale::l2,
                                parse_scope(options, "tensor"));
}

}  // namespace terse
