// Rules by which workers' vectors become one, although some of the workers may say anything.
//
//   mean         nobody may: one vector, large enough, takes the mean wherever it likes
//   median       of each coordinate; of the middle two their mean
//   trimmed:f=1  of each coordinate the mean without the f smallest and the f largest
//   krum:f=1     the one vector with the smallest sum of squared distances to the W - f - 2 others
//                that are nearest to it; the lowest rank of those that tie
//
// A coordinate of a median, or of a mean trimmed by f, lies between values of honest workers while
// fewer than half of all, or at most f of them, are not. Krum's guarantee takes W >= 2 f + 3, and
// it is the only one that looks at whole vectors: per coordinate, the answer may be nobody's.
//
// NaN is above every number, and so among what is trimmed; infinities are where they belong. With
// it a vector is infinitely far from all. A rule gives the same bits for its vectors in any order
// (Krum's ties apart).
//
// Cost for W vectors of d values: d W log^2 W exchanges (Batcher's sorting network, which sorts
// the columns of a block of rows at once), Krum W^2 d / 2 multiplications in double.
// Source: Yin et al., arXiv 1803.01498 (median, trimmed mean); Blanchard et al., arXiv 1703.02757
// (Krum); what they guarantee is stated here from memory.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace terse {

struct Aggregation {
  enum class Rule : std::uint8_t { mean, median, trimmed, krum };
  Rule rule = Rule::mean;
  int f = 0;  // how many may lie: trimmed, krum
};

// "trimmed:f=2"; UsageError for what is not known.
Aggregation parse_aggregation(std::string_view spec);
std::string to_string(const Aggregation& aggregation);  // with every option
// UsageError unless so many workers are enough for it.
void check_workers(const Aggregation& aggregation, int workers);

// One vector a worker, all of one length; at least one.
using Vectors = std::span<const std::span<const float>>;

void coordinate_median(Vectors vectors, std::span<float> out);
void trimmed_mean(Vectors vectors, int f, std::span<float> out);  // more than 2 f vectors
int krum(Vectors vectors, int f);  // the rank of the chosen one, of more than f + 2

// out = what the rule, not `mean`, makes of the vectors.
void aggregate(const Aggregation& aggregation, Vectors vectors, std::span<float> out);

}  // namespace terse
