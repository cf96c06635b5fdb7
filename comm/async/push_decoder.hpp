// What pushes say, on the server: its own instance of the compressor combines and decodes them.
//
// Pushes that were encoded in one step meet as in the synchronous server, over one shard, and give
// its bits. Others share neither draws nor a vote: each is decoded alone, and their mean is taken.
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
  // The parameters lend their shapes alone.
  PushDecoder(const ParameterBuffer& parameters, std::unique_ptr<Compressor> compressor,
              std::uint64_t seed);

  // The mean gradient of the pushes, at least one, in this order; valid until the next call. `step`
  // is the lowest 32 bits of their workers' own steps, as their headers say.
  std::span<float> mean(std::span<const Packet> pushes, float lr);
  // That of one push.
  std::span<float> alone(const Packet& push, float lr);

  void serialize(Archive& archive) { compressor_->serialize(archive); }

 private:
  void meet(std::span<const Packet> pushes, float lr, std::span<const GradView> out);
  void add_up(std::span<const Packet> pushes);

  std::unique_ptr<Compressor> compressor_;
  std::uint64_t seed_;
  std::vector<float> mean_, one_;
  std::vector<GradView> mean_views_, one_views_;
  std::vector<float> weights_;
  std::vector<std::span<const float>> parts_;
  Packet answer_;
};

}  // namespace terse
