#include "tersegrad/comm/collectives/collectives.hpp"

#include <algorithm>
#include <utility>

#include "tersegrad/comm/collectives/partial_sum.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/simd/vectorized.hpp"

namespace terse {
namespace {

// Sums the coordinates [begin, end) of a slice. All of them must be in chunk c.
void sum_chunk(std::span<const std::span<const float>> parts, std::size_t c, std::size_t begin,
               std::size_t end, std::span<float> out) {
  constexpr std::size_t kBlock = 4096;  // floats: a block of the sum stays in the L1 cache
  const std::size_t workers = parts.size();
  for (std::size_t at = begin; at < end; at += kBlock) {
    const std::size_t n = std::min(kBlock, end - at);
    const auto sum = out.subspan(at, n);
    std::ranges::copy(parts[(c + 1) % workers].subspan(at, n), sum.begin());
    for (std::size_t k = 2; k <= workers; ++k)
      add_values(sum, parts[(c + k) % workers].subspan(at, n));
  }
}

}  // namespace

void add_values(std::span<float> sum, std::span<const float> values) {
  vectorized([n = sum.size(), from = values.data(), to = sum.data()] {
    for (std::size_t i = 0; i < n; ++i) to[i] += from[i];
  });
}

void add_values(std::span<const float> a, std::span<const float> b, std::span<float> sum) {
  vectorized([n = sum.size(), x = a.data(), y = b.data(), to = sum.data()] {
    for (std::size_t i = 0; i < n; ++i) to[i] = x[i] + y[i];
  });
}

Label label_of(const Packet& packet) {
  const auto header = packet.header();
  return {.step = header.step,
          .phase = header.phase,
          .compressor = header.compressor,
          .tensors = header.tensors};
}

void sum_in_ring_order(std::span<const std::span<const float>> parts, std::size_t first,
                       std::size_t whole, std::span<float> out) {
  const auto workers = static_cast<int>(parts.size());
  for (int c = 0; c < workers; ++c) {
    const auto chunk = chunk_of(whole, c, workers);
    const std::size_t begin = std::max(first, chunk.first);
    const std::size_t end = std::min(first + out.size(), chunk.first + chunk.count);
    if (begin < end) sum_chunk(parts, static_cast<std::size_t>(c), begin - first, end - first, out);
  }
}

// ---- ring all-reduce ----------------------------------------------------------------------------

struct Collectives::Ring {
  Worker& me;
  Packet& in;
  std::span<float> values;
  const Label& label;
  int contributors = 1;  // number of workers in the sum of the last sent chunk

  std::span<float> chunk(int number) const {
    const int workers = me.size();
    const auto at = chunk_of(values.size(), (number % workers + workers) % workers, workers);
    return values.subspan(at.first, at.count);
  }

  PacketHeader header() const { return partial_sum_header(me, label, contributors); }

  std::span<const float> receive(std::size_t floats) {
    return recv_partial_sum(me, me.previous(), label, floats, in);
  }

  void send(int number) { me.send(me.next(), header(), std::as_bytes(chunk(number))); }

  // Writes the sum into the outgoing message. The worker's own values are not changed.
  void recv_reduce_send(int number) {
    const std::span<const float> own = chunk(number);
    const auto sum = receive(own.size());
    ++contributors;
    me.send(me.next(), header(), own.size_bytes(),
            [&](Packet& out) { add_values(sum, own, out.floats()); });
  }

  // The last addition: the chunk is now complete. Keeps it and sends it on.
  void recv_reduce_copy_send(int number) {
    add_values(chunk(number), receive(chunk(number).size()));
    ++contributors;
    send(number);
  }

  void recv_copy_send(int number) {
    recv(number);
    send(number);
  }

  void recv(int number) { std::ranges::copy(receive(chunk(number).size()), chunk(number).begin()); }
};

void Collectives::ring_all_reduce(std::span<float> values, const Label& label) {
  const int workers = me_.size(), rank = me_.rank();
  if (workers == 1) return;
  Ring ring{.me = me_, .in = in_, .values = values, .label = label};
  // Reduce-scatter: step 0
  ring.send(rank - 1);
  // W-2 steps
  for (int k = 2; k < workers; ++k) ring.recv_reduce_send(rank - k);
  // Step W-1, and step 0 of the all-gather
  ring.recv_reduce_copy_send(rank);
  // W-2 steps
  for (int k = 1; k < workers - 1; ++k) ring.recv_copy_send(rank - k);
  // Step W-1
  ring.recv(rank + 1);
}

// ---- the others ---------------------------------------------------------------------------------

void Collectives::ring_all_gather(std::span<Packet> packets) {
  const int workers = me_.size(), rank = me_.rank();
  internal_check(packets.size() == static_cast<std::size_t>(workers),
                 "ring_all_gather: expected one packet per worker; got {} packets and {} workers",
                 packets.size(), workers);
  const auto own = packets[static_cast<std::size_t>(rank)].header();
  const Expected expected{.kind = own.kind, .phase = own.phase, .step = own.step};
  for (int k = 1; k < workers; ++k) {
    // In hop k the worker receives the packet of the worker k places before it.
    const int sent = (rank - k + 1 + workers) % workers, got = (rank - k + workers) % workers;
    me_.send(me_.next(), packets[static_cast<std::size_t>(sent)]);
    auto& packet = packets[static_cast<std::size_t>(got)];
    me_.recv(me_.previous(), expected, packet);
    const int said_by = packet.header().worker;
    check<PacketError>(said_by == got,
                       "all_gather: worker {} got the packet of worker {} from worker {}; expected "
                       "that of worker {}",
                       rank, said_by, me_.previous(), got);
  }
}

void Collectives::broadcast(int root, const Expected& expected, Packet& packet) {
  if (me_.size() == 1) return;
  if (me_.rank() != root) me_.recv(me_.previous(), expected, packet);
  if (me_.next() != root) me_.send(me_.next(), packet);
}

void Collectives::agree(std::span<const std::uint64_t> own, std::uint64_t step,
                        std::span<std::uint64_t> all) {
  agree(own, step, all, [](int, const WorkerLost&) { throw; });
}

void Collectives::agree(std::span<const std::uint64_t> own, std::uint64_t step,
                        std::span<std::uint64_t> all, OnLoss on_loss) {
  internal_check(all.size() == own.size() * static_cast<std::size_t>(me_.size()),
                 "agree: expected space for {} words from each of {} workers; got {} words",
                 own.size(), me_.size(), all.size());
  const PacketHeader header{.kind = PacketKind::control,
                            .step = static_cast<std::uint32_t>(step),
                            .worker = static_cast<std::uint16_t>(me_.rank())};
  const Expected expected{
      .kind = PacketKind::control, .step = step, .payload_bytes = own.size_bytes()};
  // Sends to all workers directly instead of around the ring: one wait instead of W-1. Every worker
  // begins with its successor, so that the first messages go to different NICs.
  me_.begin_exchange();
  for (int k = 1; k < me_.size(); ++k) {
    me_.send((me_.rank() + k) % me_.size(), header, std::as_bytes(own));
  }
  for (int other = 0; other < me_.size(); ++other) {
    const auto theirs = all.subspan(static_cast<std::size_t>(other) * own.size(), own.size());
    if (other == me_.rank()) {
      std::ranges::copy(own, theirs.begin());
    } else {
      try {
        me_.recv(other, expected, in_);
      } catch (const WorkerLost& loss) {
        on_loss(other, loss);
        continue;
      }
      ByteReader reader(std::as_const(in_).payload());
      for (auto& word : theirs) word = reader.get<std::uint64_t>();
    }
  }
  me_.end_exchange();
}

}  // namespace terse
