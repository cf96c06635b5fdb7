// The base of compressors whose packets cannot be added up: each is decoded by itself.
//
//   exchange:  pass on all packets with their weights - or their weighted mean, once that is
//   shorter worker:    mean = sum over w of weight_w C(x_w), in the order of the workers
//
// What is left to a compressor: to write a packet, and to add what it says to a gradient.
//
// Answer: u32 P, then P packets, each u32 words, f32 weight and its payload; P = 0: the mean, d
// floats. Every payload is a whole number of 32-bit words.
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
  void said(const Round& round, const Packet& own, std::span<const GradView> out) const final;

  // Whether it says less of a vector than its values: `topk+NAME` can code values with it.
  virtual bool codes_vectors() const { return true; }

  struct Weighted {
    std::span<const std::uint32_t> payload;
    float weight;
  };
  // The sum over the packets, in their order: written to `scratch` by `add`, or read block by block.
  virtual const GradientSource& sum(const Round& round, std::span<const Weighted> packets,
                                    std::span<const GradView> scratch);

  // out += weight · C(x), as a worker's payload says it. PacketError for one that cannot be.
  virtual void add(const Round& round, std::span<const std::uint32_t> payload, float weight,
                   std::span<const GradView> out) const = 0;

 protected:
  // Begins a packet about `grads`; the words are not initialised.
  std::span<std::uint32_t> start(const Round& round, std::span<const GradView> grads,
                                 std::int64_t words, Packet& up) const;

 private:
  // An answer taken apart.
  struct Answer {
    std::span<const float> mean;  // where it says that
    std::vector<Weighted> packets;
  };
  Answer answer(const Round& round, const Packet& down, std::span<const GradView> shape) const;

  std::uint16_t number_;
  SourcePerBucket<GradientInMemory> means_;
};

}  // namespace terse
