// The contests of `paper pays`: methods that train one model, and which of them is first to a score
// in a modelled network.
//
//   seconds to the score = steps to the score · seconds of a step (pays_experiments.hpp)
//   score                that of 16-bit sums at the end, less one point (perplexity: plus 2 %)
//   steps                from the evaluations, means over the seeds, linear in between; perplexity by
//                        its logarithm. The curve begins at the score of a model that guesses
//
// The curves are those of four workers. The global batch is fixed, and other workers are taken to
// need as many steps. Some curves have one seed, so that a small lead is a tie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "examples/paper/claim.hpp"
#include "examples/paper/training_experiments.hpp"

namespace terse::paper {

// A model and its methods. The first is the one to beat; the second compresses nothing either.
struct Contest {
  Setting setting;
  std::vector<Method> methods;
};
inline constexpr std::size_t kUncompressed = 2;

std::vector<Contest> contests(Scale scale);  // of R and of L

// "resnet20, steps to 91.3 of 1716: half 1300, …, top-k never"
std::string steps_text(const Rows& rows, const Contest& contest);

// The fastest method in a network, and how many times as fast as the method to beat it is.
struct Winner {
  std::int64_t workers;
  double bits_per_second;
  std::string name;
  double times;
  enum class Kind : std::uint8_t { compressor, tie, uncompressed } kind;
};
// For every number of workers and, within it, every bandwidth.
std::vector<Winner> winners_of(const Rows& rows, const Contest& contest, Scale scale);

}  // namespace terse::paper
