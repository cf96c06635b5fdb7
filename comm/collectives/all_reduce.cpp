#include "tersegrad/comm/collectives/all_reduce.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <string>
#include <utility>
#include <vector>

#include "tersegrad/comm/collectives/partial_sum.hpp"
#include "tersegrad/comm/collectives/shared_all_reduce.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/name_table.hpp"

namespace terse {
namespace {

constexpr NameTable<AllReduce, 4> kKinds = {{{"ring", AllReduce::ring},
                                             {"tree", AllReduce::tree},
                                             {"halving", AllReduce::halving},
                                             {"auto", AllReduce::automatic}}};

// The messages of both algorithms. Each has a contiguous range of the values.
struct Partial {
  Worker& me;
  Packet& in;
  const Label& label;
  int contributors = 1;  // number of workers in this worker's sum

  void send(int to, std::span<const float> values) {
    me.send(to, partial_sum_header(me, label, contributors), std::as_bytes(values));
  }

  std::span<const float> recv(int from, std::size_t floats) {
    return recv_partial_sum(me, from, label, floats, in);
  }

  void recv_reduce(int from, std::span<float> values) {
    add_values(values, recv(from, values.size()));
    contributors += in.header().contributors;
  }

  void recv_copy(int from, std::span<float> values) {
    std::ranges::copy(recv(from, values.size()), values.begin());
  }
};

// ---- tree ---------------------------------------------------------------------------------------

void tree_all_reduce(Partial partial, std::span<float> values) {
  const int workers = partial.me.size(), rank = partial.me.rank();
  int bit = 1;  // becomes the distance to the parent; for worker 0 at least W
  for (; bit < workers && (rank & bit) == 0; bit *= 2) {
    if (rank + bit < workers) partial.recv_reduce(rank + bit, values);
  }
  if (rank > 0) {
    partial.send(rank - bit, values);
    partial.recv_copy(rank - bit, values);
  }
  partial.contributors = workers;
  for (bit /= 2; bit >= 1; bit /= 2) {
    if (rank + bit < workers) partial.send(rank + bit, values);
  }
}

// ---- halving and doubling -----------------------------------------------------------------------

// The core: p = 2^k workers with new numbers. Of the first 2 (W - p) workers, those of even rank
// are outside of the core, and those of odd rank represent them.
struct Core {
  int size = 1, outside = 0;

  explicit Core(int workers)
      : size(static_cast<int>(std::bit_floor(static_cast<unsigned>(workers)))),
        outside(workers - size) {}
  int rank_of(int number) const { return number < outside ? 2 * number + 1 : number + outside; }
  int number_of(int rank) const { return rank < 2 * outside ? rank / 2 : rank - outside; }
};

void halve_and_double(Partial& partial, const Core& core, std::span<float> values) {
  const int own = core.number_of(partial.me.rank());
  // The values of the chunks [first, first + count) of core.size chunks.
  const auto run = [&](int first, int count) {
    const auto begin = chunk_of(values.size(), first, core.size);
    const auto last = chunk_of(values.size(), first + count - 1, core.size);
    return values.subspan(begin.first, last.first + last.count - begin.first);
  };
  const auto partner = [&](int distance) { return core.rank_of(own ^ distance); };
  int first = 0;
  for (int half = core.size / 2; half >= 1; half /= 2) {
    const int kept = first + (own & half), given = first + (~own & half);
    partial.send(partner(half), run(given, half));
    partial.recv_reduce(partner(half), run(kept, half));
    first = kept;
  }
  partial.contributors = partial.me.size();
  for (int have = 1; have < core.size; have *= 2) {
    partial.send(partner(have), run(first, have));
    partial.recv_copy(partner(have), run(first ^ have, have));
    first &= ~have;
  }
}

void halving_all_reduce(Partial partial, std::span<float> values) {
  const int rank = partial.me.rank();
  const Core core(partial.me.size());
  const bool paired = rank < 2 * core.outside;
  if (paired && rank % 2 == 0) {
    partial.send(rank + 1, values);
    partial.recv_copy(rank + 1, values);
    return;
  }
  if (paired) partial.recv_reduce(rank - 1, values);
  halve_and_double(partial, core, values);
  if (paired) partial.send(rank - 1, values);
}

}  // namespace

std::string_view to_string(AllReduce kind) {
  return name_in(kKinds, kind);
}

AllReduce parse_all_reduce(std::string_view name) {
  return value_in(kKinds, "all-reduce", name);
}

double all_reduce_seconds(AllReduce kind, int workers, std::size_t bytes, const LinkSpeed& link) {
  internal_check(kind != AllReduce::automatic,
                 "all_reduce_seconds: expected an algorithm; got automatic");
  const double n = static_cast<double>(bytes) / link.bytes_per_second;
  const auto w = static_cast<double>(workers);
  if (kind == AllReduce::ring) return 2 * (w - 1) * link.latency + 2 * (w - 1) / w * n;
  if (kind == AllReduce::tree) {
    return 2 * std::bit_width(static_cast<unsigned>(workers - 1)) * (link.latency + n);
  }
  const Core core(workers);
  const int rounds = std::bit_width(static_cast<unsigned>(core.size)) - 1;
  const double p = core.size;
  return 2 * rounds * link.latency + 2 * (p - 1) / p * n +
         (core.outside > 0 ? 2 * (link.latency + n) : 0);
}

AllReduce best_all_reduce(int workers, std::size_t bytes, const LinkSpeed& link) {
  const auto seconds = [&](AllReduce kind) {
    return all_reduce_seconds(kind, workers, bytes, link);
  };
  return std::ranges::min(std::array{AllReduce::ring, AllReduce::halving, AllReduce::tree}, {},
                          seconds);
}

AllReduce AllReducer::kind_for(std::size_t bytes) const {
  return kind_ == AllReduce::automatic ? best_all_reduce(me_.size(), bytes, link_) : kind_;
}

void AllReducer::run(std::span<float> values, const Label& label) {
  if (me_.size() == 1 || run_in_memory(values, 1, label)) return;
  const AllReduce kind = kind_for(values.size_bytes());
  const Partial partial{.me = me_, .in = in_, .label = label};
  if (kind == AllReduce::ring) collectives_.ring_all_reduce(values, label);
  if (kind == AllReduce::tree) tree_all_reduce(partial, values);
  if (kind == AllReduce::halving) halving_all_reduce(partial, values);
}

bool AllReducer::run_in_memory(std::span<float> values, float divisor, const Label& label) {
  if (!me_.shares_memory() || kind_for(values.size_bytes()) != AllReduce::ring) return false;
  pull_ring_all_reduce(me_, values, divisor, label);
  return true;
}

}  // namespace terse
