// Scaled sign: the class. The algorithm is in sign.cpp, the same in fewer passes in sign_fused.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "tersegrad/optim/compressors/gather.hpp"
#include "tersegrad/optim/compressors/scope.hpp"

namespace terse {

// The weighted sum of all packets, read block by block.
class SumOfSigns final : public GradientSource {
 public:
  void reset(std::span<const GatherCompressor::Weighted> packets, std::span<const GradView> shape,
             Scope scope);
  std::span<const float> read(std::int64_t first, std::span<float> scratch) const override;

 private:
  std::size_t packets_ = 0;
  std::vector<std::int64_t> begins_;  // of the tensors, and the end
  std::vector<std::span<const std::uint32_t>> signs_;
  std::vector<float> scales_;  // weight · scale, at [tensor · packets_ + packet]
};

enum class SignScale { l1, l2 };  // |x|_1 / n, |x|_2 / sqrt(n)

class Sign final : public GatherCompressor {
 public:
  Sign(std::uint16_t number, SignScale scale, Scope scope)
      : GatherCompressor(number), scale_(scale), scope_(scope) {}

  std::string spec() const override;
  Traits traits(std::uint64_t) const override { return {.whole_model = scope_ == Scope::model}; }
  bool is_contraction() const override { return scale_ == SignScale::l1; }
  std::optional<double> contraction(std::uint64_t, std::span<const GradView> shape) const override;
  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override;
  void add(const Round&, std::span<const std::uint32_t> payload, float weight,
           std::span<const GradView> out) const override;
  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView> shape) const override;

  // sign_fused.cpp
  bool encode_with_residual(const Round& round, std::span<const GradView> grads, float keep,
                            std::span<const GradView> residual, Packet& up) override;
  void settle(std::span<const GradView> residual) override;
  const GradientSource& sum(const Round& round, std::span<const Weighted> packets,
                            std::span<const GradView> shape) override;

  // A payload's scales and sign bits. Throws PacketError unless it fits the tensors.
  struct Parts {
    std::span<const float> scales;  // one per tensor, or one
    std::span<const std::uint32_t> signs;
    Parts(std::span<const std::uint32_t> payload, std::span<const GradView> shape, Scope scope);

    float scale(std::size_t tensor) const { return scales[scales.size() == 1 ? 0 : tensor]; }
  };

 private:
  // Begins a packet; all sign bits are zero.
  std::pair<std::span<float>, std::span<std::uint32_t>> start_signs(const Round& round,
                                                                    std::span<const GradView> grads,
                                                                    Packet& up) const;

  // The number of scales in a packet.
  std::size_t scales(std::span<const GradView> shape) const {
    return scope_ == Scope::model ? 1 : shape.size();
  }
  // Computes the scales of a packet, tensor by tensor.
  class ScaleWriter {
   public:
    ScaleWriter(const Sign& sign, std::span<float> scales) : sign_(sign), scales_(scales) {}
    void add(std::span<const float> x, double norm1);  // the next tensor and its |x|_1

   private:
    const Sign& sign_;
    std::span<float> scales_;
    double sum_ = 0, n_ = 0;  // of |x_i| or x_i^2, and of the values
  };

  SignScale scale_;
  Scope scope_;
  SourcePerBucket<SumOfSigns> sums_;
  // For each tensor id, the scale s of the pending subtraction e = e - s sign(e) from the residual
  // e; 0 if none is pending.
  std::map<std::uint32_t, float> pending_;
};

}  // namespace terse
