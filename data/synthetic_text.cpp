#include "tersegrad/data/synthetic_text.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/random.hpp"

namespace terse {
namespace {

// Values of the `worker` field of the streams of Purpose::synthetic; synthetic.cpp uses 0 to 2.
constexpr std::uint32_t kSuccessors = 16, kTrainText = 17, kValidText = 18, kTestText = 19;

constexpr std::int64_t kMostContexts = 1 << 20;

class Chain {
 public:
  Chain(const SyntheticTextOptions& options, std::uint64_t seed)
      : options_(options), seed_(seed), contexts_(1) {
    for (std::int64_t i = 0; i < options.order; ++i) contexts_ *= options.vocab;
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(options.vocab));
    for (std::int64_t context = 0; context < contexts_; ++context) {
      std::iota(tokens.begin(), tokens.end(), 0);
      Philox random(seed, {.purpose = Purpose::synthetic,
                           .worker = kSuccessors,
                           .step = static_cast<std::uint32_t>(context)});
      for (std::size_t i = 0; i < static_cast<std::size_t>(options.branching); ++i) {
        std::swap(tokens[i], tokens[i + random.below(tokens.size() - i)]);
        successors_.push_back(tokens[i]);
      }
    }
  }

  std::vector<std::int32_t> walk(std::int64_t length, std::uint32_t part) const {
    Philox random(seed_, {.purpose = Purpose::synthetic, .worker = part});
    auto context = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(contexts_)));
    std::vector<std::int32_t> tokens;
    for (std::int64_t i = 0; i < length; ++i) {
      const auto choice = random.below(static_cast<std::uint64_t>(options_.branching));
      const auto row = static_cast<std::size_t>(context * options_.branching);
      tokens.push_back(successors_[row + choice]);
      context = (context * options_.vocab + tokens.back()) % contexts_;
    }
    return tokens;
  }

 private:
  SyntheticTextOptions options_;
  std::uint64_t seed_;
  std::int64_t contexts_;
  std::vector<std::int32_t> successors_;  // contexts × branching
};

}  // namespace

TextSplits make_synthetic_text(const SyntheticTextOptions& options, std::uint64_t seed) {
  const auto contexts =
      std::pow(static_cast<double>(options.vocab), static_cast<double>(options.order));
  check<UsageError>(contexts <= kMostContexts,
                    "data 'synthetic-text': vocab^order must be at most {}; got {}^{}",
                    kMostContexts, options.vocab, options.order);
  check<UsageError>(options.branching <= options.vocab,
                    "data 'synthetic-text': branching must be at most vocab; got {} and {}",
                    options.branching, options.vocab);
  const Chain chain(options, seed);
  const auto make_split = [&](std::int64_t length, std::uint32_t part) {
    TextDataset split{
        .name = "synthetic-text", .vocabulary = {}, .tokens = chain.walk(length, part)};
    for (std::int64_t i = 0; i < options.vocab; ++i) {
      split.vocabulary.push_back(fmt::format("w{}", i));
    }
    check_text(split);
    return split;
  };
  TextSplits splits;
  splits.train = make_split(options.length, kTrainText);
  splits.valid = make_split(options.length / 10, kValidText);
  splits.test = make_split(options.length / 10, kTestText);
  splits.entropy_rate = std::log(static_cast<double>(options.branching));
  return splits;
}

TextSplits load_synthetic_text(Options& options, std::uint64_t seed) {
  const SyntheticTextOptions defaults;
  SyntheticTextOptions wanted;
  wanted.vocab = options.integer("vocab", defaults.vocab, 2, 10'000);
  wanted.order = options.integer("order", defaults.order, 1, 20);
  wanted.branching = options.integer("branching", defaults.branching, 1, 1000);
  wanted.length = options.integer("length", defaults.length, 20, 100'000'000);
  const auto seq = options.integer("seq", TextSplits{}.seq, 1, 1'000'000);
  options.finish();
  auto splits = make_synthetic_text(wanted, seed);
  splits.seq = seq;
  return splits;
}

}  // namespace terse
