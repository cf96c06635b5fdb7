#include "tersegrad/data/text_dataset.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "tersegrad/core/error.hpp"
#include "tersegrad/data/unicode.hpp"

namespace terse {
namespace {

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// Assigns ids to tokens in the order of their first appearance. The texts must outlive it.
class Interner {
 public:
  Interner() { number(kUnknown); }

  std::int32_t number(std::string_view token) {
    const auto next = static_cast<std::int32_t>(tokens_.size());
    const auto [place, is_new] = numbers_.try_emplace(token, next);
    if (is_new) tokens_.push_back(token);
    return place->second;
  }
  std::span<const std::string_view> tokens() const { return tokens_; }

 private:
  std::unordered_map<std::string_view, std::int32_t> numbers_;
  std::vector<std::string_view> tokens_;
};

// Calls emit(token) for each word and each punctuation mark of a chunk without white space.
template <class Emit>
void split_prose(std::string_view chunk, Emit&& emit) {
  const auto word_at = [&](std::size_t at) {
    if (at >= chunk.size()) return std::size_t{0};
    const auto [value, bytes] = first_code_point(chunk.substr(at));
    return is_word_character(value) ? bytes : 0;
  };
  while (!chunk.empty()) {
    std::size_t end = 0;
    while (const auto bytes = word_at(end)) {
      end += bytes;
      // An apostrophe or hyphen between two word characters is part of the word.
      if (end < chunk.size() && (chunk[end] == '\'' || chunk[end] == '-') && word_at(end + 1) > 0) {
        ++end;
      }
    }
    if (end == 0) end = first_code_point(chunk).bytes;
    emit(chunk.substr(0, end));
    chunk.remove_prefix(end);
  }
}

template <class Emit>
void split_words(std::string_view text, TextLevel level, Emit&& emit) {
  for (std::size_t begin = 0; begin < text.size();) {
    if (text[begin] == '\n') emit(kEndOfLine);
    if (is_space(text[begin])) {
      ++begin;
      continue;
    }
    std::size_t end = begin + 1;
    while (end < text.size() && !is_space(text[end])) ++end;
    const auto chunk = text.substr(begin, end - begin);
    if (level == TextLevel::prose) {
      split_prose(chunk, emit);
    } else {
      emit(chunk);
    }
    begin = end;
  }
  if (!text.empty() && text.back() != '\n') emit(kEndOfLine);
}

std::vector<std::int32_t> intern(std::string_view text, TextLevel level, Interner& interner) {
  std::vector<std::int32_t> numbers;
  if (level == TextLevel::character) {
    numbers.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
      numbers.push_back(interner.number(text.substr(i, 1)));
    }
  } else {
    split_words(text, level,
                [&](std::string_view token) { numbers.push_back(interner.number(token)); });
  }
  return numbers;
}

struct Vocabulary {
  std::vector<std::string> tokens;
  std::vector<std::int32_t> renumber;  // interner's id -> id; 0 for tokens that are not kept
};

Vocabulary make_vocabulary(const Interner& interner, std::span<const std::int32_t> train,
                           std::int64_t most) {
  const auto known = interner.tokens();
  std::vector<std::int64_t> counts(known.size());
  for (const auto token : train) ++counts[static_cast<std::size_t>(token)];
  std::vector<std::int32_t> kept;
  for (std::size_t i = 1; i < known.size(); ++i) {
    if (counts[i] > 0) kept.push_back(static_cast<std::int32_t>(i));
  }
  std::stable_sort(kept.begin(), kept.end(), [&](std::int32_t a, std::int32_t b) {
    return counts[static_cast<std::size_t>(a)] > counts[static_cast<std::size_t>(b)];
  });
  if (most - 1 < std::ssize(kept)) kept.resize(static_cast<std::size_t>(most - 1));

  Vocabulary vocabulary{.tokens = {std::string(kUnknown)},
                        .renumber = std::vector<std::int32_t>(known.size())};
  for (const auto token : kept) {
    const auto at = static_cast<std::size_t>(token);
    vocabulary.renumber[at] = static_cast<std::int32_t>(vocabulary.tokens.size());
    vocabulary.tokens.emplace_back(known[at]);
  }
  return vocabulary;
}

TextSplits make_splits(const std::string& name, const Interner& interner,
                       std::vector<std::int32_t> train, std::vector<std::int32_t> valid,
                       std::vector<std::int32_t> test, std::int64_t most) {
  const auto vocabulary = make_vocabulary(interner, train, most);
  const auto make = [&](std::vector<std::int32_t> tokens) {
    for (auto& token : tokens) token = vocabulary.renumber[static_cast<std::size_t>(token)];
    TextDataset split{.name = name, .vocabulary = vocabulary.tokens, .tokens = std::move(tokens)};
    check_text(split);
    return split;
  };
  TextSplits splits;
  splits.train = make(std::move(train));
  splits.valid = make(std::move(valid));
  splits.test = make(std::move(test));
  return splits;
}

}  // namespace

void check_text(const TextDataset& text) {
  check(text.size() >= 2, "text '{}': each split must have at least 2 tokens; got {}", text.name,
        text.size());
  const auto count = std::ssize(text.vocabulary);
  for (std::size_t i = 0; i < text.tokens.size(); ++i) {
    check(text.tokens[i] >= 0 && text.tokens[i] < count,
          "text '{}': token {} must be from 0 to {}; got {}", text.name, i, count - 1,
          text.tokens[i]);
  }
}

TextSplits number_splits(const std::string& name, SplitText texts, const TextRules& rules) {
  if (rules.level == TextLevel::prose) {
    for (auto* text : {&texts.train, &texts.valid, &texts.test}) *text = simplified(*text);
  }
  Interner interner;
  auto train = intern(texts.train, rules.level, interner);  // first: its order breaks ties
  auto valid = intern(texts.valid, rules.level, interner);
  auto test = intern(texts.test, rules.level, interner);
  return make_splits(name, interner, std::move(train), std::move(valid), std::move(test),
                     rules.most);
}

TextSplits number_and_split(const std::string& name, std::string text, const TextRules& rules) {
  if (rules.level == TextLevel::prose) text = simplified(text);
  Interner interner;
  const auto all = intern(text, rules.level, interner);
  const std::int64_t count = std::ssize(all);
  constexpr std::int64_t kFewest = 40;  // 5 % of 40 are the 2 tokens that a split needs
  check(count >= kFewest,
        "text '{}': expected at least {} tokens, because one file is split 90/5/5; got {}", name,
        kFewest, count);
  const auto valid = all.begin() + count * 90 / 100, test = all.begin() + count * 95 / 100;
  return make_splits(name, interner, {all.begin(), valid}, {valid, test}, {test, all.end()},
                     rules.most);
}

}  // namespace terse
