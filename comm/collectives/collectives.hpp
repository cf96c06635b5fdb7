// Collectives over point-to-point messages of Worker.
//
// With W workers and n payload bytes, each worker sends
//
//   ring_all_reduce   2 (W-1) messages, 2 (W-1)/W · n bytes + their headers
//   ring_all_gather   W-1 messages: the packets of all workers except the next one
//   broadcast         1 message of n bytes; the last worker of the chain sends none
//   agree             W-1 control messages of 8 bytes per word
//
// There is one order of addition. The buffer is cut into W chunks; chunk c is [n c / W,
// n (c+1) / W) and is added in the order of the workers c+1, c+2, …, c (mod W), which is the order
// of the ring. sum_in_ring_order gives the same bits to algorithms that do not use the ring.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/comm/transport/failure.hpp"
#include "tersegrad/comm/transport/worker.hpp"
#include "tersegrad/optim/packet.hpp"

namespace terse {

// The header fields of a collective's messages, apart from the sender and the number of workers.
struct Label {
  std::uint64_t step = 0;
  int phase = 0;
  std::uint16_t compressor = 0;
  std::uint32_t tensors = 0;
};
Label label_of(const Packet& packet);

struct Chunk {
  std::size_t first = 0, count = 0;
};

// Part `part` of n items in `parts` parts: [n part / parts, n (part+1) / parts).
constexpr Chunk chunk_of(std::size_t n, int part, int parts) {
  const auto p = static_cast<std::size_t>(part), all = static_cast<std::size_t>(parts);
  return {n * p / all, n * (p + 1) / all - n * p / all};
}

// sum += values, and sum = a + b, where `sum` overlaps neither a nor b. Both run in the calling
// thread.
void add_values(std::span<float> sum, std::span<const float> values);
void add_values(std::span<const float> a, std::span<const float> b, std::span<float> sum);

// out[i] = the sum over workers of parts[worker][i], in the order of addition above. `out` and
// every part hold the coordinates [first, first + out.size()) of a buffer of `whole` floats.
void sum_in_ring_order(std::span<const std::span<const float>> parts, std::size_t first,
                       std::size_t whole, std::span<float> out);

// One worker's part in every collective. All workers must call the same collectives in the same
// order. If two workers disagree about a size or a step, a PacketError names both.
class Collectives {
 public:
  explicit Collectives(Worker& me) : me_(me) {}

  // values = the sum of all workers' values.
  void ring_all_reduce(std::span<float> values, const Label& label);

  // packets[w] = worker w's packet. packets[rank] is the worker's own packet and must be set by the
  // caller. The packets may differ in size; their headers are not changed.
  void ring_all_gather(std::span<Packet> packets);

  // Every worker's packet = the packet of `root`, along the ring. `expected` is what the receivers
  // check.
  void broadcast(int root, const Expected& expected, Packet& packet);

  // all[w n + i] = word i of worker w, where every worker sends own.size() = n words. Throws
  // PacketError if a worker is at another step or sends another number of words.
  void agree(std::span<const std::uint64_t> own, std::uint64_t step, std::span<std::uint64_t> all);
  // Like above, but a worker may have died. `on_loss` is then called with its rank and the
  // exception, inside the handler of the exception, and the words of that worker are not written.
  using OnLoss = FunctionRef<void(int, const WorkerLost&)>;
  void agree(std::span<const std::uint64_t> own, std::uint64_t step, std::span<std::uint64_t> all,
             OnLoss on_loss);
  void agree(std::uint64_t word, std::uint64_t step, std::span<std::uint64_t> all) {
    agree(std::span(&word, 1), step, all);
  }

 private:
  // The hops of a ring all-reduce. Each is named after what it does with the chunk of that number.
  struct Ring;

  Worker& me_;
  Packet in_;  // the last received packet; its memory is exchanged with the next
};

}  // namespace terse
