// Scaled sign: the class. The algorithm is in sign.cpp, the same in fewer passes in sign_fused.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "tersegrad/optim/compressors/gather.hpp"

namespace terse {

// The weighted sum of all packets, read block by block.
class SumOfSigns final : public GradientSource {
 public:
  void reset(std::span<const GatherCompressor::Weighted> packets, std::span<const GradView> shape);
  std::span<const float> read(std::int64_t first, std::span<float> scratch) const override;

 private:
  std::size_t packets_ = 0;
  std::vector<std::int64_t> begins_;  // of the tensors, and the end
  std::vector<std::span<const std::uint32_t>> signs_;
  std::vector<float> scales_;  // weight · scale, at [tensor · packets_ + packet]
};

class Sign final : public GatherCompressor {
 public:
  using GatherCompressor::GatherCompressor;

  std::string spec() const override { return "sign"; }
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
    std::span<const float> scales;
    std::span<const std::uint32_t> signs;
    Parts(std::span<const std::uint32_t> payload, std::span<const GradView> shape);
  };

 private:
  // Begins a packet; all sign bits are zero.
  std::pair<std::span<float>, std::span<std::uint32_t>> start_signs(const Round& round,
                                                                    std::span<const GradView> grads,
                                                                    Packet& up) const;

  SourcePerBucket<SumOfSigns> sums_;
  // For each tensor id, the scale s of the pending subtraction e = e - s sign(e) from the residual
  // e; 0 if none is pending.
  std::map<std::uint32_t, float> pending_;
};

}  // namespace terse
