// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011).
//
// A draw is a pure function of (seed, purpose, worker, step, tensor, position), so any of them can
// be repeated without replaying what came before, and nothing depends on threads. The key is the
// seed; the 128-bit counter holds the other fields, so two different streams never share a block.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace terse {

enum class Purpose : std::uint8_t {
  init = 1,     // parameters' first values
  shuffle = 2,  // order and partition of samples
  dropout = 3,
  synthetic = 4,  // procedural data sets
  compress = 5,   // a compressor's draws; worker 0 where all workers must draw the same
  tie = 6,        // coins of a vote, shared by all workers
  test = 7,
  augment = 8,   // crops and flips of training images
  update = 9,    // an update rule's draws, the same on all workers
  problem = 10,  // samples and noise of a stochastic gradient of a test problem
  probe = 11,    // which coordinates a measurement keeps
  network = 12,  // delays and losses of a modelled network
  arrival = 13,  // when an asynchronous worker's pushes arrive
  attack = 14,   // what a hostile worker says, and which of its packets
};

// Names one stream of random numbers under a seed.
struct Stream {
  Purpose purpose = Purpose::test;
  std::uint32_t worker = 0;  // at most 2^24 - 1
  std::uint32_t step = 0;
  std::uint32_t tensor = 0;
};

// One block of Philox4x32-10: 128 random bits from a 128-bit counter and a 64-bit key.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

// Reads a stream from its start, or from any position.
class Philox {
 public:
  Philox(std::uint64_t seed, Stream stream);

  // The 32-bit word at a position of the stream, position < 2^34; leaves the reader where it is.
  std::uint32_t at(std::uint64_t position) const;

  // Eights of blocks from `first` on: eights[e][8 w + b] is at(4 (first + 8 e + b) + w).
  using EightBlocks = std::array<std::uint32_t, 32>;
  void blocks(std::uint64_t first, std::span<EightBlocks> eights) const;

  // Goes on at a position of the stream that is a multiple of 4.
  void seek(std::uint64_t position);
  std::uint32_t next();
  float uniform();                           // [0, 1), 24 bits
  double uniform_double();                   // [0, 1), 53 bits, two words
  float normal();                            // N(0, 1), Box-Muller, two words
  std::uint64_t below(std::uint64_t bound);  // uniform in [0, bound), bound > 0; exact by rejection

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::uint64_t position_ = 0;
  std::array<std::uint32_t, 4> block_{};  // the block that position_ lies in, if position_ % 4 != 0
};

}  // namespace terse
