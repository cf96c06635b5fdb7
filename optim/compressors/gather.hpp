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
  void decode(const Round& round, const Packet& down, std::span<const GradView> out) final;
  std::unique_ptr<GradientSource> decode_in_passing(const Round& round, const Packet& down,
                                                    std::span<const GradView> shape) final;
  void said(const Round& round, const Packet& own, std::span<const GradView> out) const final;

  // Whether it says less of a vector than its values: `topk+NAME` can code values with it.
  virtual bool codes_vectors() const { return true; }

  struct Weighted {
    std::span<const std::uint32_t> payload;
    float weight;
  };
  // out = the sum over the packets, in their order. Who goes through `out` once for all of them
  // spares it a pass for each.
  virtual void sum(const Round& round, std::span<const Weighted> packets,
                   std::span<const GradView> out) const;
  // The same sum, to be read in passing; null: there is no such way.
  virtual std::unique_ptr<GradientSource> sum_in_passing(
      std::span<const Weighted>, std::span<const GradView> /*shape*/) const {
    return nullptr;
  }

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
};

}  // namespace terse
