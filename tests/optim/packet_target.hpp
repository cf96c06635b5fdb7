// What receives packets from outside, for the two fuzzers: a compressor in the middle of a round,
// with real packets of every phase and kind.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tersegrad/optim/testing/exchange.hpp"

namespace terse {

class PacketTarget {
 public:
  explicit PacketTarget(const std::string& spec);

  // A packet as it was on the wire, sealed.
  struct Sample {
    int phase;
    PacketKind kind;  // up, partial or down
    ByteVector bytes;
  };
  const std::vector<Sample>& samples() const { return samples_; }

  // Hands bytes over as if they were the sample. They give values or a PacketError; returns whether
  // the compressor itself saw them (and not only Packet::parse). Any other exception is a bug.
  bool receive(const Sample& sample, ByteVector bytes);

 private:
  void receive_up(const Round& round, const Sample& sample, Packet packet);

  TestExchange exchange_;
  OwnedGradients out_;
  std::vector<GradView> views_;
  std::vector<Sample> samples_;
};

// The specs that are fuzzed: every registered compressor, and decorators that have a format.
std::vector<std::string> fuzzed_specs();

// The same packet with the length and the checksum that its bytes should have.
ByteVector with_valid_checksum(const ByteVector& bytes);

}  // namespace terse
