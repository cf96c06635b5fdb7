// Methods that several claims and papers compare: the compressor, the optimizer, and the middle of
// the three rates that are tried.
#pragma once

#include "examples/paper/training_experiments.hpp"

namespace terse::paper {

inline const Method kSgd{.name = "sgd", .optimizer = "sgd:momentum=0.9", .rate = 0.05};
inline const Method kVote{.name = "vote", .compressor = "vote:beta=0.9", .rate = 0.002};
inline Method powersgd_method(const char* name, const char* spec) {
  return {.name = name, .compressor = spec, .optimizer = "sgd:momentum=0.9", .rate = 0.05};
}
// Without momentum, as the papers on signs have it.
inline Method plain_sgd(double rate) {
  return {.name = "sgd", .optimizer = "sgd", .rate = rate};
}
inline const Method kRankTwo = powersgd_method("powersgd-2", "powersgd:rank=2+ef");
inline const Method kSignSgd{.name = "signsgd", .optimizer = "signsgd", .rate = 0.0005};
inline const Method kSign{.name = "sign", .compressor = "sign+ef", .rate = 0.3};

// The language model: every worker clips its gradient before compression, no momentum.
inline Method clipped(const char* name, const char* spec) {
  return {.name = name, .compressor = spec, .rate = 20};
}
inline const Method kTextSgd = clipped("sgd", "none+clip:norm=0.25");
inline const Method kTextRankOne = clipped("powersgd-1", "powersgd:rank=1+ef+clip:norm=0.25");
inline const Method kTextRankFour = clipped("powersgd-4", "powersgd:rank=4+ef+clip:norm=0.25");
// The same as kTextRankFour, but for the norm that is clipped: that of the mean.
inline const Method kTextClippedMean{.name = "powersgd-4-mean",
                                     .compressor = "powersgd:rank=4+ef",
                                     .optimizer = "sgd+clip:norm=0.25",
                                     .rate = 20};
inline const Method kTextVote{.name = "vote", .compressor = "vote:beta=0.9", .rate = 0.001};

}  // namespace terse::paper
