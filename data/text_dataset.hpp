// Texts in memory as sequences of token ids, and the tokeniser that makes them.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace terse {

constexpr std::string_view kUnknown = "<unk>";  // replaces every token outside the vocabulary
constexpr std::string_view kEndOfLine = "<eos>";

struct TextDataset {
  std::string name;
  std::vector<std::string> vocabulary;  // the token of each id; the same for all splits
  std::vector<std::int32_t> tokens;     // the text as ids in [0, vocabulary.size())

  std::int64_t size() const { return std::ssize(tokens); }
};

struct TextSplits {
  TextDataset train;
  TextDataset valid;
  TextDataset test;
  std::int64_t seq = 30;  // T: time steps per batch
  // Entropy rate of the source in nats per token, if known. Its exponential is the lowest
  // perplexity that a model can have.
  std::optional<double> entropy_rate;
};

// Throws Error unless the text has at least two tokens (one to read, one to predict) and all of
// them are in the vocabulary.
void check_text(const TextDataset& text);

enum class TextLevel {
  word,       // split at white space; every line ends with <eos>, as is usual for PTB and WikiText
  prose,      // like word, after conversion to lower case, with punctuation as separate tokens
  character,  // single bytes
};

struct TextRules {
  TextLevel level = TextLevel::word;
  // Maximum size of the vocabulary, including <unk>.
  std::int64_t most = std::numeric_limits<std::int32_t>::max();
};

// The text of each split. The vocabulary consists of <unk>, which has id 0, and the tokens of
// `train` in order of decreasing frequency, ties in order of first appearance, up to the maximum
// size. All other tokens become <unk>.
struct SplitText {
  std::string train, valid, test;
};
TextSplits number_splits(const std::string& name, SplitText texts, const TextRules& rules);

// The same for one text. The first 90 % of its tokens are the training split, the next 5 % the
// validation split and the last 5 % the test split. Throws Error if it has fewer than 40 tokens.
TextSplits number_and_split(const std::string& name, std::string text, const TextRules& rules);

}  // namespace terse
