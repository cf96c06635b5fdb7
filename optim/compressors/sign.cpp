// Scaled sign: the sign of every coordinate, times the mean magnitude of its tensor.
//
//   worker w:  for each tensor x of n values: s = |x|_1 / n
//              send s of every tensor, then sign(x), one bit a coordinate
//   exchange:  pass on what all workers sent
//   worker:    mean = sum over w of s_w sign_w / W
//
// C(x) = s sign(x) keeps the share phi(x) = |x|_1^2 / (n |x|_2^2) of x's energy exactly, so with
// error feedback it converges: sign+ef is EF-signSGD. The bit is set iff x < 0; a zero counts as +
// in the residual as well as on the wire. A NaN or infinity makes its own tensor's s like it.
//
// Payload: 4 T + 4 ceil(d/32) bytes for T tensors; down, that for every worker (an all-gather).
// Time: one pass, with a residual too; decode O(W d).
// Source: Karimireddy et al., arXiv 1901.09847, algorithm 2; "Sign+Norm" of arXiv 1905.13727.
#include <map>
#include <utility>
#include <vector>

#include "tersegrad/optim/compressors/gather.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/kernels/bits.hpp"
#include "tersegrad/optim/kernels/feedback.hpp"

namespace terse {
namespace {

// What follows the scales.
std::span<const std::uint32_t> signs_of(std::span<const std::uint32_t> payload,
                                        std::span<const GradView> shape) {
  const auto n = count(shape);
  expect_size(payload, std::ssize(shape) + kernels::words_for(n));
  const auto signs = payload.subspan(shape.size());
  expect_padding(signs, n);
  return signs;
}

// The sum over packets, in one pass over the values: a worker's bits are soon read, values are not.
class SumOfSigns final : public GradientSource {
 public:
  void reset(std::span<const GatherCompressor::Weighted> packets, std::span<const GradView> shape) {
    packets_ = packets.size();
    begins_.resize(1);
    signs_.clear();
    scales_.clear();
    for (const auto& view : shape) begins_.push_back(begins_.back() + std::ssize(view.data));
    for (const auto& packet : packets) signs_.push_back(signs_of(packet.payload, shape));
    for (std::size_t t = 0; t < shape.size(); ++t) {
      for (const auto& packet : packets) {
        scales_.push_back(packet.weight * as_floats(packet.payload)[t]);
      }
    }
  }

  std::span<const float> read(std::int64_t first, std::span<float> room) const override {
    divide_among(begins_, first, room,
                 [&](std::size_t tensor, std::int64_t offset, std::span<float> piece) {
                   sum(tensor, offset, piece);
                 });
    return room;
  }

 private:
  void sum(std::size_t tensor, std::int64_t offset, std::span<float> values) const {
    kernels::sum_signs(signs_, begins_[tensor] + offset,
                       std::span(scales_).subspan(tensor * packets_, packets_), values);
  }

  std::size_t packets_ = 0;
  std::vector<std::int64_t> begins_{0};  // of the tensors, and the end
  std::vector<std::span<const std::uint32_t>> signs_;
  std::vector<float> scales_;  // of every packet, tensor by tensor
};

class Sign final : public GatherCompressor {
 public:
  using GatherCompressor::GatherCompressor;

  std::string spec() const override { return "sign"; }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    const auto words =
        start(round, grads, std::ssize(grads) + kernels::words_for(count(grads)), up);
    const auto scales = as_floats(words.first(grads.size()));
    const auto signs = words.subspan(grads.size());
    std::ranges::fill(signs, 0U);
    std::int64_t at = 0;
    for (std::size_t t = 0; t < grads.size(); ++t) {
      const auto x = grads[t].data;
      const auto n = std::ssize(x);
      const double norm = kernels::pack_signs(x, at, signs);
      scales[t] = n == 0 ? 0 : static_cast<float>(norm / static_cast<double>(n));
      at += n;
    }
  }

  // One pass; what the packet says is subtracted with the next one.
  bool encode_with_residual(const Round& round, std::span<const GradView> grads, float keep,
                            std::span<const GradView> residual, Packet& up) override {
    const auto words =
        start(round, grads, std::ssize(grads) + kernels::words_for(count(grads)), up);
    const auto scales = as_floats(words.first(grads.size()));
    const auto signs = words.subspan(grads.size());
    std::ranges::fill(signs, 0U);
    std::int64_t at = 0;
    for (std::size_t t = 0; t < grads.size(); ++t) {
      const auto n = std::ssize(grads[t].data);
      auto& owed = owed_[grads[t].id];
      const double norm =
          kernels::feed_back_signs(grads[t].data, keep, owed, residual[t].data, at, signs);
      scales[t] = owed = n == 0 ? 0 : static_cast<float>(norm / static_cast<double>(n));
      at += n;
    }
    return true;
  }

  void settle(std::span<const GradView> residual) override {
    for (const auto& e : residual)
      kernels::subtract_signs(std::exchange(owed_[e.id], 0.0F), e.data);
  }

  void add(const Round&, std::span<const std::uint32_t> payload, float weight,
           std::span<const GradView> out) const override {
    const auto signs = signs_of(payload, out);
    std::int64_t at = 0;
    for (std::size_t t = 0; t < out.size(); ++t) {
      kernels::add_signs(signs, at, weight * as_floats(payload)[t], out[t].data);
      at += std::ssize(out[t].data);
    }
  }

  const GradientSource& sum(const Round& round, std::span<const Weighted> packets,
                            std::span<const GradView> shape) override {
    auto& source = sums_.at(round.first);
    source.reset(packets, shape);
    return source;
  }

  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView> shape) const override {
    FieldList list(up);
    list.floats("scales", std::ssize(shape));
    list.words("sign bits", kernels::words_for(count(shape)));
    return list.take();
  }

 private:
  SourcePerBucket<SumOfSigns> sums_;
  std::map<std::uint32_t, float>
      owed_;  // by tensor: scales that residuals still hold; 0 if settled
};

}  // namespace

std::unique_ptr<Compressor> make_sign(std::uint16_t number, Options&, std::unique_ptr<Compressor>) {
  return std::make_unique<Sign>(number);
}

}  // namespace terse
