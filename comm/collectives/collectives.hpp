// Collectives: what all workers do together, written over Worker alone.
//
// With W workers and n payload bytes, each worker sends
//
//   ring_all_reduce   2 (W-1) messages, 2 (W-1)/W · n bytes + their headers
//   ring_all_gather   W-1 messages: the packets of all workers but the next one
//   broadcast         1 message of n bytes; the last worker of the chain none
//   agree             W-1 control messages of 8 bytes a word
//
// One order of addition. The buffer is cut into W chunks, chunk c being [n c / W, n (c+1) / W), and
// chunk c is added in the order of the workers c+1, c+2, …, c (mod W), as the ring passes it on.
// Whoever adds in another way uses sum_in_ring_order and gets the same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/comm/transport/failure.hpp"
#include "tersegrad/comm/transport/worker.hpp"
#include "tersegrad/optim/packet.hpp"

namespace terse {

// What the headers of a collective's messages say beside who and how many.
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

// Part `part` of `parts` of n items: [n part / parts, n (part+1) / parts).
constexpr Chunk chunk_of(std::size_t n, int part, int parts) {
  const auto p = static_cast<std::size_t>(part), all = static_cast<std::size_t>(parts);
  return {n * p / all, n * (p + 1) / all - n * p / all};
}

// sum += values, and sum = a + b where neither lies in the other; in the calling thread.
void add_values(std::span<float> sum, std::span<const float> values);
void add_values(std::span<const float> a, std::span<const float> b, std::span<float> sum);

// out[i] = the sum over workers of parts[worker][i], in the one order of addition. `out` and every
// part stand for the coordinates [first, first + out.size()) of a buffer of `whole` floats.
void sum_in_ring_order(std::span<const std::span<const float>> parts, std::size_t first,
                       std::size_t whole, std::span<float> out);

// One worker's part in every collective. All workers must call the same ones in the same order;
// what disagrees in size or step is an error that names both workers.
class Collectives {
 public:
  explicit Collectives(Worker& me) : me_(me) {}

  // values = the sum of all workers' values.
  void ring_all_reduce(std::span<float> values, const Label& label);

  // packets[w] = worker w's packet; packets[rank] is one's own and must be there before. The
  // packets may differ in size; their headers travel unchanged.
  void ring_all_gather(std::span<Packet> packets);

  // Every worker's packet = that of `root`, along the ring. `expected.kind` and so on are what the
  // receivers want.
  void broadcast(int root, const Expected& expected, Packet& packet);

  // all[w n + i] = word i of worker w, of this step; own.size() = n words each. A worker at another
  // step, or with another number of words, is an error.
  void agree(std::span<const std::uint64_t> own, std::uint64_t step, std::span<std::uint64_t> all);
  // The same where a worker may have died: `on_loss` is called with its rank and its end, within
  // the handler of the exception, and its words stay as they are.
  using OnLoss = FunctionRef<void(int, const WorkerLost&)>;
  void agree(std::span<const std::uint64_t> own, std::uint64_t step, std::span<std::uint64_t> all,
             OnLoss on_loss);
  void agree(std::uint64_t word, std::uint64_t step, std::span<std::uint64_t> all) {
    agree(std::span(&word, 1), step, all);
  }

 private:
  // The hops of a ring all-reduce, named after what they do with the chunk of that number. `in_`
  // holds what the previous worker sent; a message that has `weight` workers in it says so.
  struct Ring;

  Worker& me_;
  Packet in_;  // its memory is recycled through the mailboxes
};

}  // namespace terse
