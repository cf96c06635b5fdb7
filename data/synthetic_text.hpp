// A procedural text that needs no file, and whose best perplexity is known.
//
// A Markov chain: after the last `order` tokens, `branching` of the vocabulary's tokens may follow,
// each with the same probability. Which ones, is drawn once for each context. So the entropy rate
// is ln(branching) exactly, and the model that knows the chain has perplexity `branching` on every
// piece of the text, long or short; one that knows nothing has `vocab`.
#pragma once

#include <cstdint>

#include "tersegrad/core/spec.hpp"
#include "tersegrad/data/text_dataset.hpp"

namespace terse {

struct SyntheticTextOptions {
  std::int64_t vocab = 32;
  std::int64_t order = 1;       // tokens that the next one depends on; vocab^order is at most 2^20
  std::int64_t branching = 4;   // at most vocab
  std::int64_t length = 40000;  // tokens of the training split; the others have a tenth each
};

TextSplits make_synthetic_text(const SyntheticTextOptions& options, std::uint64_t seed);

// `synthetic-text[:vocab=,order=,branching=,length=,seq=]`
TextSplits load_synthetic_text(Options& options, std::uint64_t seed);

}  // namespace terse
