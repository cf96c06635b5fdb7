// Aggregation rules: one vector from the workers' vectors, some of which may be Byzantine.
//
//   mean         tolerates no Byzantine worker: one large vector moves the mean anywhere
//   median       the median of each coordinate; for an even number the mean of the middle two
//   trimmed:f=1  of each coordinate the mean without the f smallest and the f largest values
//   krum:f=1     the vector with the smallest sum of squared distances to its W - f - 2 nearest
//                others; of those that tie, the lowest rank
//
// Guarantees: a coordinate of the median lies between values of honest workers if fewer than half
// of all workers are Byzantine; a coordinate of the trimmed mean does if at most f are. The
// guarantee of Krum requires W >= 2 f + 3. Krum is the only rule that compares whole vectors; the
// others may return a vector that no worker sent.
//
// NaN sorts above every number, infinities included, so the trimmed mean removes up to f NaNs. For
// Krum a vector with a NaN is infinitely far from all others. The result has the same bits for
// every order of the vectors, except if Krum's scores tie.
//
// Cost for W vectors of d values: median and trimmed O(d W log^2 W) compare-exchanges (Batcher's
// sorting network, applied to all columns of a block at once); Krum W^2 d / 2 multiplications in
// double.
// Source: Yin et al., arXiv 1803.01498 (median, trimmed mean); Blanchard et al., arXiv 1703.02757
// (Krum). The guarantees are stated from memory.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace terse {

struct Aggregation {
  enum class Rule : std::uint8_t { mean, median, trimmed, krum };
  Rule rule = Rule::mean;
  int f = 0;  // trimmed, krum: the number of Byzantine workers to tolerate
};

// Parses a spec such as "trimmed:f=2". Throws UsageError for an unknown name, key or value.
Aggregation parse_aggregation(std::string_view spec);
std::string to_string(const Aggregation& aggregation);  // with every option written out
// Throws UsageError unless the rule can work with this number of workers.
void check_workers(const Aggregation& aggregation, int workers);

// One vector per worker, at least one, all of the same length.
using Vectors = std::span<const std::span<const float>>;

void coordinate_median(Vectors vectors, std::span<float> out);
void trimmed_mean(Vectors vectors, int f, std::span<float> out);  // needs more than 2 f vectors
int krum(Vectors vectors, int f);  // the index of the chosen vector; needs more than f + 2

// out = the aggregate of the vectors by the rule. Throws InternalError for the rule `mean`.
void aggregate(const Aggregation& aggregation, Vectors vectors, std::span<float> out);

}  // namespace terse
