// A procedural text data set that needs no files and has a known optimal perplexity.
//
// The text is a Markov chain. The next token depends on the last `order` tokens, the context. For
// each context, `branching` tokens of the vocabulary are drawn once; each of them follows with
// equal probability. The entropy rate is therefore exactly ln(branching). A model that knows the
// chain has perplexity `branching` on any part of the text; a model that predicts all tokens with
// equal probability has perplexity `vocab`.
#pragma once

#include <cstdint>

#include "tersegrad/core/spec.hpp"
#include "tersegrad/data/text_dataset.hpp"

namespace terse {

struct SyntheticTextOptions {
  std::int64_t vocab = 32;
  std::int64_t order = 1;       // length of a context in tokens; vocab^order is at most 2^20
  std::int64_t branching = 4;   // at most vocab
  std::int64_t length = 40000;  // tokens of the training split; the other splits have a tenth each
};

TextSplits make_synthetic_text(const SyntheticTextOptions& options, std::uint64_t seed);

// Reads the options of `synthetic-text[:vocab=,order=,branching=,length=,seq=]` and makes the text.
TextSplits load_synthetic_text(Options& options, std::uint64_t seed);

}  // namespace terse
