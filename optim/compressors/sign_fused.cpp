// Scaled sign in fewer passes, with the same bits.
//
// With error feedback (decorators/error_feedback.cpp), a step takes one pass over the residual e.
// For every value, the pass
//   - computes e = keep (e - s' sign(e)) + g, where s' is the scale of the previous packet
//   - writes the sign bit of e
//   - adds |e| to |e|_1, which gives the scale s of this packet
// e = e - s sign(e) is left pending: the next step subtracts it in its own pass. `settle` subtracts
// it without encoding, before the state is saved.
//
// The sum of W packets is written in one pass over the mean instead of W. Reading W bits per value
// costs little; reading and writing the mean W times would cost more.
#include <utility>

#include "tersegrad/optim/compressors/sign.hpp"
#include "tersegrad/optim/kernels/bits.hpp"
#include "tersegrad/optim/kernels/feedback.hpp"

namespace terse {

bool Sign::encode_with_residual(const Round& round, std::span<const GradView> grads, float keep,
                                std::span<const GradView> residual, Packet& up) {
  const auto [s, signs] = start_signs(round, grads, up);
  ScaleWriter scales(*this, s);
  std::int64_t at = 0;  // the tensor's first bit in the plane of signs
  for (std::size_t t = 0; t < grads.size(); ++t) {
    const auto g = grads[t].data, e = residual[t].data;
    scales.add(e, kernels::feed_back_signs(g, keep, pending_[grads[t].id], e, at, signs));
    at += std::ssize(g);
  }
  for (std::size_t t = 0; t < grads.size(); ++t) {
    pending_[grads[t].id] = s[scope_ == Scope::model ? 0 : t];
  }
  return true;
}

void Sign::settle(std::span<const GradView> residual) {
  for (const auto& e : residual) {
    kernels::subtract_signs(std::exchange(pending_[e.id], 0.0F), e.data);
  }
}

const GradientSource& Sign::sum(const Round& round, std::span<const Weighted> packets,
                                std::span<const GradView> shape) {
  auto& source = sums_.at(round.first);
  source.reset(packets, shape, scope_);
  return source;
}

void SumOfSigns::reset(std::span<const GatherCompressor::Weighted> packets,
                       std::span<const GradView> shape, Scope scope) {
  packets_ = packets.size();
  begins_.assign(1, 0);
  for (const auto& view : shape) begins_.push_back(begins_.back() + std::ssize(view.data));
  signs_.clear();
  scales_.resize(shape.size() * packets_);
  for (std::size_t w = 0; w < packets_; ++w) {
    const Sign::Parts parts(packets[w].payload, shape, scope);
    signs_.push_back(parts.signs);
    for (std::size_t t = 0; t < shape.size(); ++t) {
      scales_[t * packets_ + w] = packets[w].weight * parts.scale(t);
    }
  }
}

std::span<const float> SumOfSigns::read(std::int64_t first, std::span<float> scratch) const {
  divide_among(begins_, first, scratch,
               [&](std::size_t t, std::int64_t offset, std::span<float> values) {
                 kernels::sum_signs(signs_, begins_[t] + offset,
                                    std::span(scales_).subspan(t * packets_, packets_), values);
               });
  return scratch;
}

}  // namespace terse
