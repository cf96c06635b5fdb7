// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011).
//
// A random number is a pure function of (seed, purpose, worker, step, tensor, position). Any of
// them can be computed without computing earlier ones, and none depends on threads. The seed is the
// key; the other fields are the 128-bit counter, so two different streams never share a block.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace terse {

enum class Purpose : std::uint8_t {
  init = 1,     // initial values of parameters
  shuffle = 2,  // order and partition of samples
  dropout = 3,
  synthetic = 4,  // procedural data sets
  compress = 5,   // compressors; worker 0 where all workers must draw the same numbers
  tie = 6,        // ties of a majority vote, the same on all workers
  test = 7,
  augment = 8,   // crops and flips of training images
  update = 9,    // update rules, the same numbers on all workers
  problem = 10,  // samples and noise in stochastic gradients of test problems
  probe = 11,    // coordinates that a measurement samples
  network = 12,  // delays and losses of a simulated network
  arrival = 13,  // arrival times of pushes of asynchronous workers
  attack = 14,   // packets that Byzantine workers change, and their contents
  sum = 15,      // rounding of sums of packets, the same on all workers
};

// Identifies one stream of random numbers under a seed.
struct Stream {
  Purpose purpose = Purpose::test;
  std::uint32_t worker = 0;  // at most 2^24 - 1
  std::uint32_t step = 0;
  std::uint32_t tensor = 0;
};

// One block of Philox4x32-10: 128 random bits from a 128-bit counter and a 64-bit key.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

// Reads a stream sequentially, from position 0 or the position of `seek`, or at any position. A
// stream has 2^34 words of 32 bits. Throws Error if `stream.worker` is 2^24 or more, and
// InternalError beyond the end of the stream.
class Philox {
 public:
  Philox(std::uint64_t seed, Stream stream);

  // The 32-bit word at `position` < 2^34. Does not change the position of `next`.
  std::uint32_t at(std::uint64_t position) const;

  // Computes 8 · eights.size() blocks, from block `first` on:
  // eights[e][8 w + b] = at(4 (first + 8 e + b) + w), where b < 8 is the block and w < 4 the word.
  using EightBlocks = std::array<std::uint32_t, 32>;
  void blocks(std::uint64_t first, std::span<EightBlocks> eights) const;

  // The position of the next word. An archive saves a stream by it.
  std::uint64_t position() const { return position_; }
  void seek(std::uint64_t position);
  std::uint32_t next();
  float uniform();                           // [0, 1), 24 bits
  double uniform_double();                   // [0, 1), 53 bits, two words
  float normal();                            // N(0, 1), Box-Muller, two words
  std::uint64_t below(std::uint64_t bound);  // exactly uniform in [0, bound), bound > 0

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::uint64_t position_ = 0;
  std::array<std::uint32_t, 4> block_{};  // the block of position_, if position_ % 4 != 0
};

}  // namespace terse
