#include "tersegrad/comm/collectives/shared_all_reduce.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "tersegrad/comm/collectives/collectives.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/simd/vectorized.hpp"

namespace terse {
namespace {

constexpr std::size_t kBlock = 2048;      // floats: the sum and a part stay in the L1 cache
constexpr std::int64_t kPiece = 1 << 16;  // floats of a thread's piece

void expose(Worker& me, const SharedReduction& reduction, const Label& label,
            FunctionRef<void()> body) {
  me.expose(std::as_bytes(reduction.values), std::as_writable_bytes(reduction.results),
            {.kind = PacketKind::partial,
             .phase = label.phase,
             .step = label.step,
             .payload_bytes = reduction.values.size_bytes()},
            body);
}

std::span<const float> floats(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)};
}

std::span<float> floats(std::span<std::byte> bytes) {
  return {reinterpret_cast<float*>(bytes.data()), bytes.size() / sizeof(float)};
}

// body(first, room): for each block of n floats, with room for what becomes of it.
template <class Body>
void for_each_block(std::size_t n, const Body& body) {
  parallel_for(static_cast<std::int64_t>(n), kPiece, [&](std::int64_t begin, std::int64_t end) {
    std::array<float, kBlock> room;
    for (auto at = static_cast<std::size_t>(begin); at < static_cast<std::size_t>(end);
         at += kBlock) {
      body(at, std::span(room).first(std::min(kBlock, static_cast<std::size_t>(end) - at)));
    }
  });
}

void divide(std::span<float> sums, float divisor) {
  if (divisor == 1) return;
  vectorized([=] {
    for (auto& sum : sums) sum /= divisor;
  });
}

// The sum of one worker alone.
void take_own(const SharedReduction& reduction) {
  if (reduction.values.data() == reduction.results.data() && reduction.divisor == 1) return;
  for_each_block(reduction.values.size(), [&](std::size_t at, std::span<float> sum) {
    std::ranges::copy(reduction.values.subspan(at, sum.size()), sum.begin());
    divide(sum, reduction.divisor);
    std::ranges::copy(sum, reduction.results.subspan(at).begin());
  });
}

// The sum of a shard of all workers' values, written to each of `results`, which are its own.
void add_shard(Worker& me, const SharedReduction& reduction, Chunk shard,
               std::span<const std::span<float>> results) {
  const auto n = reduction.values.size();
  std::vector<std::span<const float>> values;
  for (int worker = 0; worker < me.size(); ++worker) {
    values.push_back(worker == me.rank()
                         ? reduction.values.subspan(shard.first, shard.count)
                         : floats(me.read_values(worker, shard.first * sizeof(float),
                                                 shard.count * sizeof(float))));
  }
  for_each_block(shard.count, [&](std::size_t at, std::span<float> sum) {
    std::vector<std::span<const float>> parts(values.size());
    for (std::size_t w = 0; w < parts.size(); ++w) parts[w] = values[w].subspan(at, sum.size());
    sum_in_ring_order(parts, shard.first + at, n, sum);
    divide(sum, reduction.divisor);
    for (const auto& result : results) std::ranges::copy(sum, result.subspan(at).begin());
  });
}

}  // namespace

void all_reduce_by_owners(Worker& me, int owners, const SharedReduction& reduction,
                          const Label& label) {
  if (me.size() == 1) return take_own(reduction);
  expose(me, reduction, label, [&] {
    if (me.rank() >= owners) return;
    const auto own = chunk_of(reduction.values.size(), me.rank(), owners);
    std::vector<std::span<float>> results;
    for (int worker = 0; worker < me.size(); ++worker) {
      results.push_back(worker == me.rank()
                            ? reduction.results.subspan(own.first, own.count)
                            : floats(me.write_results(worker, own.first * sizeof(float),
                                                      own.count * sizeof(float))));
    }
    add_shard(me, reduction, own, results);
  });
}

void reduce_to_owners(Worker& me, int owners, const SharedReduction& reduction, const Label& label,
                      FunctionRef<void(const GradientSource& results)> use) {
  if (me.size() == 1) {
    take_own(reduction);
    return use(GradientInMemory(reduction.results));
  }
  expose(me, reduction, label, [&] {
    const auto shard = [&](int owner) { return chunk_of(reduction.values.size(), owner, owners); };
    const auto result = [&](Chunk at) { return reduction.results.subspan(at.first, at.count); };
    if (me.rank() < owners) {
      const auto own = shard(me.rank());
      add_shard(me, reduction, own, std::array{result(own)});
    }
    me.barrier();
    JoinedGradient results;
    for (int owner = 0; owner < owners; ++owner) {
      const auto at = shard(owner);
      const auto lies =
          owner == me.rank()
              ? std::span<const float>(result(at))
              : floats(me.read_results(owner, at.first * sizeof(float), at.count * sizeof(float)));
      results.add(std::make_unique<GradientInMemory>(lies), std::ssize(lies));
    }
    use(results);
  });
}

void all_reduce_by_reading(Worker& me, const SharedReduction& reduction, const Label& label) {
  if (me.size() == 1) return take_own(reduction);
  const int workers = me.size(), rank = me.rank();
  const auto chunk = [&](int number) {
    return chunk_of(reduction.values.size(), (number + 2 * workers) % workers, workers);
  };
  expose(me, reduction, label, [&] {
    for (int k = 1; k < workers; ++k) {
      const auto at = chunk(rank - 1 - k);
      const auto first = at.first * sizeof(float), bytes = at.count * sizeof(float);
      // Where the chunk sets out, there are but values.
      const auto theirs = floats(k == 1 ? me.read_values(me.previous(), first, bytes)
                                        : me.read_results(me.previous(), first, bytes));
      const auto own = reduction.values.subspan(at.first, at.count);
      const auto result = reduction.results.subspan(at.first, at.count);
      for_each_block(at.count, [&](std::size_t i, std::span<float> sum) {
        add_values(theirs.subspan(i, sum.size()), own.subspan(i, sum.size()), sum);
        if (k == workers - 1) divide(sum, reduction.divisor);
        std::ranges::copy(sum, result.subspan(i).begin());
      });
      me.barrier();
    }
    for (int k = 1; k < workers; ++k) {
      const auto at = chunk(rank - k);
      const auto theirs = floats(
          me.read_results(me.previous(), at.first * sizeof(float), at.count * sizeof(float)));
      std::ranges::copy(theirs, reduction.results.subspan(at.first).begin());
      if (k < workers - 1) me.barrier();
    }
  });
}

}  // namespace terse
