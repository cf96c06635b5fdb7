#include "tersegrad/comm/topology/aggregation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/simd/vectorized.hpp"
#include "tersegrad/core/spec.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {
namespace {

using Rule = Aggregation::Rule;
constexpr std::array<std::pair<std::string_view, Rule>, 4> kRules = {{{"mean", Rule::mean},
                                                                      {"median", Rule::median},
                                                                      {"trimmed", Rule::trimmed},
                                                                      {"krum", Rule::krum}}};

// ---- sorting columns ----------------------------------------------------------------------------

// Integer keys in the order of the floats: -inf < … < -0 < +0 < … < inf < NaN. Integers have a
// total order, and their minima and maxima vectorise.
constexpr std::int32_t kNaN = std::numeric_limits<std::int32_t>::max();
using Keys = std::int32_t*;

void to_keys(std::span<const float> values, Keys keys) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto bits = std::bit_cast<std::int32_t>(values[i]);
    const auto magnitude = bits & 0x7fffffff;
    keys[i] = magnitude > 0x7f800000 ? kNaN : bits < 0 ? ~magnitude : bits;
  }
}

float to_float(std::int32_t key) {
  return std::bit_cast<float>(key < 0 ? ~key | std::numeric_limits<std::int32_t>::min() : key);
}

void order(Keys low, Keys high, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const auto a = low[i], b = high[i];
    low[i] = std::min(a, b);
    high[i] = std::max(a, b);
  }
}

// Sorts each of the first n columns of `count` rows that are `stride` keys apart, by Batcher's
// odd-even merge sort.
void sort_columns(Keys rows, std::int64_t count, std::int64_t stride, std::int64_t n) {
  for (std::int64_t run = 1; run < count; run *= 2) {
    for (std::int64_t apart = run; apart >= 1; apart /= 2) {
      for (std::int64_t first = apart % run; first + apart < count; first += 2 * apart) {
        for (auto i = first; i < std::min(first + apart, count - apart); ++i) {
          if (i / (2 * run) != (i + apart) / (2 * run)) continue;  // rows of different merges
          order(rows + i * stride, rows + (i + apart) * stride, n);
        }
      }
    }
  }
}

// out = the mean of the rows [first, first + count) of the sorted columns. Columns are sorted in
// blocks that fit the cache.
void mean_of_sorted(Vectors vectors, std::int64_t first, std::int64_t count, std::span<float> out) {
  constexpr std::int64_t kBlockKeys = 1 << 13, kLeast = 16, kPiece = 1 << 12;
  const auto rows = std::ssize(vectors);
  const auto block = std::max(kLeast, kBlockKeys / rows / kLeast * kLeast);
  vectorized_for(std::ssize(out), kPiece, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::int32_t> keys(static_cast<std::size_t>(rows * block));
    for (; begin < end; begin += block) {
      const auto n = std::min(block, end - begin);
      for (std::int64_t row = 0; row < rows; ++row) {
        to_keys(vectors[row].subspan(begin, n), keys.data() + row * block);
      }
      sort_columns(keys.data(), rows, block, n);
      for (std::int64_t i = 0; i < n; ++i) {
        double sum = 0;
        for (auto row = first; row < first + count; ++row) sum += to_float(keys[row * block + i]);
        out[begin + i] = static_cast<float>(sum / static_cast<double>(count));
      }
    }
  });
}

// ---- distances ----------------------------------------------------------------------------------

// Entry (i, j) is the squared distance of the vectors i and j; infinite if either has a NaN.
std::vector<double> squared_distances(Vectors vectors) {
  constexpr std::int64_t kBlock = 1 << 12;  // floats: the block of vector i stays in the cache
  const auto workers = std::ssize(vectors);
  std::vector<double> distances(static_cast<std::size_t>(workers * workers));
  parallel_for(workers, 1, [&](std::int64_t i, std::int64_t) {
    const auto a = vectors[i];
    std::vector<kernels::LaneSum> sums(static_cast<std::size_t>(workers));
    for (std::int64_t begin = 0; begin < std::ssize(a); begin += kBlock) {
      const auto end = std::min(begin + kBlock, std::ssize(a));
      for (auto j = i + 1; j < workers; ++j) {
        const auto b = vectors[j];
        vectorized(
            [&sum = sums[static_cast<std::size_t>(j)], begin, end, x = a.data(), y = b.data()] {
              sum.add(begin, end, [x, y](std::int64_t k) {
                const double apart = static_cast<double>(x[k]) - static_cast<double>(y[k]);
                return apart * apart;
              });
            });
      }
    }
    for (auto j = i + 1; j < workers; ++j) {
      const double total = sums[j].total();
      distances[i * workers + j] = distances[j * workers + i] =
          std::isnan(total) ? std::numeric_limits<double>::infinity() : total;
    }
  });
  return distances;
}

}  // namespace

// ---- the rules ----------------------------------------------------------------------------------

void coordinate_median(Vectors vectors, std::span<float> out) {
  const auto workers = std::ssize(vectors);
  mean_of_sorted(vectors, (workers - 1) / 2, workers % 2 == 1 ? 1 : 2, out);
}

void trimmed_mean(Vectors vectors, int f, std::span<float> out) {
  mean_of_sorted(vectors, f, std::ssize(vectors) - 2 * f, out);
}

int krum(Vectors vectors, int f) {
  const auto workers = std::ssize(vectors), near = workers - f - 2;
  const auto distances = squared_distances(vectors);
  int best = 0;
  double least = std::numeric_limits<double>::infinity();
  std::vector<double> others;
  for (std::int64_t i = 0; i < workers; ++i) {
    others.clear();
    for (std::int64_t j = 0; j < workers; ++j) {
      if (j != i) others.push_back(distances[i * workers + j]);
    }
    std::sort(others.begin(), others.end());
    const double score = std::accumulate(others.begin(), others.begin() + near, 0.0);
    if (score >= least) continue;
    least = score;
    best = static_cast<int>(i);
  }
  return best;
}

void aggregate(const Aggregation& aggregation, Vectors vectors, std::span<float> out) {
  switch (aggregation.rule) {
    case Rule::median:
      return coordinate_median(vectors, out);
    case Rule::trimmed:
      return trimmed_mean(vectors, aggregation.f, out);
    case Rule::krum: {
      const auto chosen = krum(vectors, aggregation.f);
      return kernels::copy_to(vectors[static_cast<std::size_t>(chosen)], out);
    }
    case Rule::mean:
      break;
  }
  throw InternalError(
      "internal error: aggregate: expected a robust rule; got mean, which the compressor computes");
}

// ---- spec strings -------------------------------------------------------------------------------

Aggregation parse_aggregation(std::string_view spec) {
  constexpr std::int64_t kMostWorkers = 65535;
  const auto stage = parse_stage("aggregation", spec);
  std::vector<std::string> known;
  for (const auto& rule : kRules) {
    known.emplace_back(rule.first);
    if (rule.first != stage.name) continue;
    Options options("aggregation", stage);
    Aggregation aggregation{.rule = rule.second};
    if (rule.second == Rule::trimmed || rule.second == Rule::krum) {
      aggregation.f = static_cast<int>(options.integer("f", 1, 0, kMostWorkers));
    }
    options.finish();
    return aggregation;
  }
  throw UsageError(unknown_name("aggregation", stage.name, std::move(known)));
}

std::string to_string(const Aggregation& aggregation) {
  const auto name = kRules[static_cast<std::size_t>(aggregation.rule)].first;
  const bool counts = aggregation.rule == Rule::trimmed || aggregation.rule == Rule::krum;
  return counts ? fmt::format("{}:f={}", name, aggregation.f) : std::string(name);
}

void check_workers(const Aggregation& aggregation, int workers) {
  const int f = aggregation.f;
  check<UsageError>(aggregation.rule != Rule::trimmed || workers > 2 * f,
                    "aggregation trimmed: expected more than {} workers with f={}, because the f "
                    "smallest and the f largest values are left out; got {}",
                    2 * f, f, workers);
  check<UsageError>(aggregation.rule != Rule::krum || workers > f + 2,
                    "aggregation krum: expected more than {} workers with f={}, because each "
                    "worker has W - f - 2 neighbours, or at least {} for the guarantee; got {}",
                    f + 2, f, 2 * f + 3, workers);
}

}  // namespace terse
