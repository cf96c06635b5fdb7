// The base of compressors whose packets cannot be added up: every packet is decoded by itself.
//
//   exchange:  every worker gets the packets of all workers
//   combine:   one down packet with all packets and their weights (the factors of the mean), or
//              with their weighted mean if that has no more words
//   worker:    mean = sum over w of weight_w C(x_w), in the order of the workers
//
// A server combines the packets and sends the down packet. In a ring every worker combines the
// packets itself, so no down packet is sent.
//
// A subclass writes a packet (`encode`) and adds the reconstruction of a packet to a gradient
// (`add`).
//
// Down packet: u32 P, then P packets, each u32 words, f32 weight and its payload; or P = 0 and the
// mean, d floats. Every payload is a whole number of 32-bit words.
#pragma once

#include <memory>
#include <vector>

#include "tersegrad/optim/compressor.hpp"

namespace terse {

class GatherCompressor : public Compressor {
 public:
  explicit GatherCompressor(std::uint16_t number) : number_(number) {}

  Traits traits(std::uint64_t) const override { return {}; }
  void combine(const Round& round, std::span<const GradView> shape, std::span<const Packet> up,
               std::span<const float> weights, Packet& down) final;
  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> scratch) final;
  void reconstruct(const Round& round, const Packet& own,
                   std::span<const GradView> out) const final;

  // Whether it compresses vectors, so that `topk+NAME` can code values with it.
  virtual bool codes_vectors() const { return true; }

  struct Weighted {
    std::span<const std::uint32_t> payload;
    float weight;
  };
  // The weighted sum of the packets, in their order; called by `decode`. The base class writes it
  // to `scratch` by `add`. An override may return a source that decodes block by block
  // (sign_fused.cpp).
  virtual const GradientSource& sum(const Round& round, std::span<const Weighted> packets,
                                    std::span<const GradView> scratch);

  // out += weight · C(x), the reconstruction of a worker's payload. Throws PacketError if the
  // payload is malformed.
  virtual void add(const Round& round, std::span<const std::uint32_t> payload, float weight,
                   std::span<const GradView> out) const = 0;

 protected:
  // Begins a packet of `grads`. Returns the words of its payload, which are not initialised.
  std::span<std::uint32_t> start(const Round& round, std::span<const GradView> grads,
                                 std::int64_t words, Packet& up) const;

 private:
  // The contents of a down packet: the packets, or if there are none, the mean.
  struct Contents {
    std::span<const float> mean;
    std::vector<Weighted> packets;
  };
  Contents contents(const Round& round, const Packet& down, std::span<const GradView> shape) const;

  std::uint16_t number_;
  SourcePerBucket<GradientInMemory> means_;
};

}  // namespace terse
