// The decoder of pushes on the server. It has its own instance of the compressor.
//
// Pushes that their workers encoded at the same step are combined as in the synchronous server with
// one shard, with the same bits. Pushes of different steps do not share random draws or a vote:
// each is decoded alone, and the results are averaged.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "tersegrad/core/parameters.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse {

class PushDecoder {
 public:
  // Only the shapes of `parameters` are used.
  PushDecoder(const ParameterBuffer& parameters, std::unique_ptr<Compressor> compressor,
              std::uint64_t seed);

  // The mean gradient of at least one push, added in this order; valid until the next call. The
  // step of a push is read from its header (the low 32 bits of its worker's own step). Throws
  // PacketError for an invalid packet.
  std::span<float> mean(std::span<const Packet> pushes, float lr);
  // The gradient of one push; valid until the next call.
  std::span<float> alone(const Packet& push, float lr);

  void serialize(Archive& archive) { compressor_->serialize(archive); }

 private:
  void combine_and_decode(std::span<const Packet> pushes, float lr, std::span<const GradView> out);
  void add_up(std::span<const Packet> pushes);

  std::unique_ptr<Compressor> compressor_;
  std::uint64_t seed_;
  std::vector<float> mean_, one_;
  std::vector<GradView> mean_views_, one_views_;
  std::vector<float> weights_;
  std::vector<std::span<const float>> parts_;
  Packet down_;
};

}  // namespace terse
