#include "comm/shared_all_reduce.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "comm/collectives.hpp"
#include "core/parallel.hpp"

namespace terse {
namespace {

Expected expected_of(std::span<const float> values, const Label& label) {
  return {.kind = PacketKind::partial,
          .phase = label.phase,
          .step = label.step,
          .payload_bytes = values.size_bytes()};
}

std::span<const float> read(Worker& me, int peer, const Chunk& at) {
  const auto bytes = me.read(peer, at.first * sizeof(float), at.count * sizeof(float));
  return {reinterpret_cast<const float*>(bytes.data()), at.count};
}

std::span<float> write(Worker& me, int peer, const Chunk& at) {
  const auto bytes = me.write(peer, at.first * sizeof(float), at.count * sizeof(float));
  return {reinterpret_cast<float*>(bytes.data()), at.count};
}

// Makes the same coordinates of all workers their sum: `shards`, from `first` on of `whole`.
void sum_in_place(std::span<const std::span<float>> shards, std::size_t first, std::size_t whole) {
  constexpr std::int64_t kPiece = 1 << 16;
  constexpr std::size_t kBlock = 2048;  // floats: the sum and a part stay in the L1 cache
  parallel_for(std::ssize(shards.front()), kPiece, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::span<const float>> parts(shards.size());
    std::array<float, kBlock> sums;
    for (auto at = static_cast<std::size_t>(begin); at < static_cast<std::size_t>(end);
         at += kBlock) {
      const auto sum = std::span(sums).first(std::min(kBlock, static_cast<std::size_t>(end) - at));
      for (std::size_t w = 0; w < parts.size(); ++w) parts[w] = shards[w].subspan(at, sum.size());
      sum_in_ring_order(parts, first + at, whole, sum);
      for (const auto& shard : shards) std::ranges::copy(sum, shard.subspan(at).begin());
    }
  });
}

}  // namespace

void all_reduce_by_owners(Worker& me, int owners, std::span<float> values, const Label& label) {
  if (me.size() == 1) return;
  me.expose(std::as_writable_bytes(values), expected_of(values, label), [&] {
    if (me.rank() >= owners) return;
    const auto at = chunk_of(values.size(), me.rank(), owners);
    std::vector<std::span<float>> shards;
    for (int worker = 0; worker < me.size(); ++worker) {
      if (worker == me.rank()) {
        shards.push_back(values.subspan(at.first, at.count));
      } else {
        read(me, worker, at);
        shards.push_back(write(me, worker, at));
      }
    }
    sum_in_place(shards, at.first, values.size());
  });
}

void all_reduce_by_reading(Worker& me, std::span<float> values, const Label& label) {
  const int workers = me.size(), rank = me.rank();
  if (workers == 1) return;
  const auto chunk = [&](int number) {
    return chunk_of(values.size(), (number + 2 * workers) % workers, workers);
  };
  me.expose(std::as_writable_bytes(values), expected_of(values, label), [&] {
    for (int k = 1; k < workers; ++k) {
      const auto at = chunk(rank - 1 - k);
      const auto theirs = read(me, me.previous(), at);
      const auto own = values.subspan(at.first, at.count);
      for (std::size_t i = 0; i < own.size(); ++i) own[i] += theirs[i];
      me.barrier();
    }
    for (int k = 1; k < workers; ++k) {
      const auto at = chunk(rank - k);
      std::ranges::copy(read(me, me.previous(), at), values.subspan(at.first).begin());
      if (k < workers - 1) me.barrier();
    }
  });
}

}  // namespace terse
