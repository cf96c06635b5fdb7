// The target of the two packet fuzzers: a compressor in the middle of a round, with real packets of
// every phase and kind.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tersegrad/optim/testing/exchange.hpp"

namespace terse {

class PacketTarget {
 public:
  explicit PacketTarget(const std::string& spec);

  // A sealed packet as sent on the wire.
  struct Sample {
    int phase;
    PacketKind kind;  // up, partial or down
    ByteVector bytes;
  };
  const std::vector<Sample>& samples() const { return samples_; }

  // Decodes `bytes` in place of the sample. The result must be values or a PacketError; any other
  // exception is a bug. Returns whether the bytes passed Packet::parse and reached the compressor.
  bool receive(const Sample& sample, ByteVector bytes);

 private:
  void receive_up(const Round& round, const Sample& sample, Packet packet);

  TestExchange exchange_;
  OwnedGradients out_;
  std::vector<GradView> views_;
  std::vector<Sample> samples_;
};

// The specs to be fuzzed: every registered compressor, and the decorators with a packet format.
std::vector<std::string> fuzzed_specs();

// Returns the packet with its length and checksum fields corrected for its bytes.
ByteVector with_valid_checksum(const ByteVector& bytes);

}  // namespace terse
