#include "tersegrad/comm/collectives/shared_all_reduce.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "tersegrad/comm/collectives/collectives.hpp"
#include "tersegrad/comm/collectives/partial_sum.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/simd/vectorized.hpp"

namespace terse {
namespace {

constexpr std::size_t kBlock = 2048;      // floats: a sum and a part together fit the L1 cache
constexpr std::int64_t kPiece = 1 << 16;  // floats in a task

void expose(Worker& me, std::span<float> values, const Label& label, FunctionRef<void()> body) {
  me.expose(std::as_bytes(values), std::as_writable_bytes(values),
            expected_partial_sum(label, values.size()), body);
}

std::span<const float> floats(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)};
}

std::span<float> floats(std::span<std::byte> bytes) {
  return {reinterpret_cast<float*>(bytes.data()), bytes.size() / sizeof(float)};
}

// Calls body(first, scratch) for each block of n floats, in parallel. `scratch` has the block's
// size; body writes the block's result to it.
template <class Body>
void for_each_block(std::size_t n, const Body& body) {
  parallel_for(static_cast<std::int64_t>(n), kPiece, [&](std::int64_t begin, std::int64_t end) {
    std::array<float, kBlock> scratch;
    for (auto at = static_cast<std::size_t>(begin); at < static_cast<std::size_t>(end);
         at += kBlock) {
      body(at, std::span(scratch).first(std::min(kBlock, static_cast<std::size_t>(end) - at)));
    }
  });
}

void divide(std::span<float> sums, float divisor) {
  if (divisor == 1) return;
  vectorized([=] {
    for (auto& sum : sums) sum /= divisor;
  });
}

std::span<float> shard_of(std::span<float> values, Chunk at) {
  return values.subspan(at.first, at.count);
}

// The peer's values, or the results that have replaced them: `results` and `values` of `expose` are
// the same memory.
std::span<const float> read(Worker& me, int worker, Chunk at) {
  return floats(me.read_results(worker, at.first * sizeof(float), at.count * sizeof(float)));
}

// Adds one shard of all workers' values, divides the sum and writes it to each of `results`.
void add_shard(Worker& me, std::span<float> own, float divisor, Chunk shard,
               std::span<const std::span<float>> results) {
  std::vector<std::span<const float>> values;
  for (int worker = 0; worker < me.size(); ++worker) {
    values.push_back(worker == me.rank()
                         ? shard_of(own, shard)
                         : floats(me.read_values(worker, shard.first * sizeof(float),
                                                 shard.count * sizeof(float))));
  }
  for_each_block(shard.count, [&](std::size_t at, std::span<float> sum) {
    std::vector<std::span<const float>> parts(values.size());
    for (std::size_t w = 0; w < parts.size(); ++w) parts[w] = values[w].subspan(at, sum.size());
    sum_in_ring_order(parts, shard.first + at, own.size(), sum);
    divide(sum, divisor);
    for (const auto& result : results) std::ranges::copy(sum, result.subspan(at).begin());
  });
}

}  // namespace

void direct_all_reduce(Worker& me, int owners, std::span<float> values, float divisor,
                       const Label& label) {
  if (me.size() == 1) return divide(values, divisor);
  expose(me, values, label, [&] {
    if (me.rank() >= owners) return;
    const auto own = chunk_of(values.size(), me.rank(), owners);
    std::vector<std::span<float>> results;
    for (int worker = 0; worker < me.size(); ++worker) {
      results.push_back(worker == me.rank()
                            ? shard_of(values, own)
                            : floats(me.write_results(worker, own.first * sizeof(float),
                                                      own.count * sizeof(float))));
    }
    add_shard(me, values, divisor, own, results);
  });
}

void direct_reduce_scatter(Worker& me, int owners, std::span<float> values, float divisor,
                           const Label& label,
                           FunctionRef<void(const GradientSource& results)> use) {
  if (me.size() == 1) {
    divide(values, divisor);
    return use(GradientInMemory(values));
  }
  expose(me, values, label, [&] {
    const auto own = chunk_of(values.size(), me.rank(), owners);
    if (me.rank() < owners) {
      add_shard(me, values, divisor, own, std::array{shard_of(values, own)});
    }
    me.barrier();
    GradientInRanges results;
    for (int owner = 0; owner < owners; ++owner) {
      const auto at = chunk_of(values.size(), owner, owners);
      results.add(owner == me.rank() ? shard_of(values, at) : read(me, owner, at));
    }
    use(results);
  });
}

void pull_ring_all_reduce(Worker& me, std::span<float> values, float divisor, const Label& label) {
  if (me.size() == 1) return divide(values, divisor);
  const int workers = me.size(), rank = me.rank();
  const auto chunk = [&](int number) {
    return chunk_of(values.size(), (number + 2 * workers) % workers, workers);
  };
  expose(me, values, label, [&] {
    for (int k = 1; k < workers; ++k) {
      const auto at = chunk(rank - 1 - k);
      const auto theirs = read(me, me.previous(), at);
      const auto own = shard_of(values, at);
      for_each_block(at.count, [&](std::size_t i, std::span<float> sum) {
        add_values(theirs.subspan(i, sum.size()), own.subspan(i, sum.size()), sum);
        if (k == workers - 1) divide(sum, divisor);
        std::ranges::copy(sum, own.subspan(i).begin());
      });
      me.barrier();
    }
    for (int k = 1; k < workers; ++k) {
      const auto at = chunk(rank - k);
      std::ranges::copy(read(me, me.previous(), at), shard_of(values, at).begin());
      if (k < workers - 1) me.barrier();
    }
  });
}

}  // namespace terse
