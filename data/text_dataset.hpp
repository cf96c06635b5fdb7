// Texts in memory, as the numbers of their tokens.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace terse {

constexpr std::string_view kUnknown = "<unk>";  // stands for every token without a number
constexpr std::string_view kEndOfLine = "<eos>";

struct TextDataset {
  std::string name;
  std::vector<std::string> vocabulary;  // the token of each number; the same for all splits
  std::vector<std::int32_t> tokens;     // the whole text, in order; each in [0, vocabulary.size())

  std::int64_t size() const { return std::ssize(tokens); }
};

struct TextSplits {
  TextDataset train;
  TextDataset valid;
  TextDataset test;
  std::int64_t seq = 30;  // T: time steps of a batch
  // Nats per token, where it is known: no model's perplexity is below its exponential.
  std::optional<double> entropy_rate;
};

// There must be two tokens or more (one to read, one to predict), all of them in the vocabulary.
void check_text(const TextDataset& text);

enum class TextLevel {
  word,       // split at white space; every line ends with <eos>, as PTB and WikiText are read
  prose,      // the same, in lower case, with punctuation split off, as Unicode has them
  character,  // single bytes
};

struct TextRules {
  TextLevel level = TextLevel::word;
  // Size that the vocabulary may have, <unk> included.
  std::int64_t most = std::numeric_limits<std::int32_t>::max();
};

// The text of each split. Those of `train` are the vocabulary: <unk> is number 0, then follow the
// tokens by falling frequency, those as frequent in order of appearance, as many as there is room
// for. All other tokens become <unk>.
struct SplitText {
  std::string train, valid, test;
};
TextSplits number_splits(const std::string& name, SplitText texts, const TextRules& rules);

// The same for one text, which is cut by the count of tokens: 90 % are the training split, and each
// of the others has 5 %.
TextSplits number_and_split(const std::string& name, std::string text, const TextRules& rules);

}  // namespace terse
