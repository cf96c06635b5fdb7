#include "tersegrad/data/synthetic_text.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "tersegrad/core/error.hpp"
#include "tersegrad/data/datasets.hpp"
#include "tests/data/files.hpp"

namespace terse {
namespace {

using Tokens = std::vector<std::int32_t>;

// For each context of `order` tokens, the counts of the tokens that follow it, over all splits.
std::map<Tokens, std::map<std::int32_t, int>> followers(const TextSplits& splits, int order) {
  std::map<Tokens, std::map<std::int32_t, int>> all;
  for (const auto* split : {&splits.train, &splits.valid, &splits.test}) {
    for (auto at = split->tokens.begin() + order; at != split->tokens.end(); ++at) {
      ++all[Tokens(at - order, at)][*at];
    }
  }
  return all;
}

TEST(SyntheticText, EachContextHasBranchingSuccessorsEquallyLikely) {
  const auto splits = make_synthetic_text({.vocab = 8, .branching = 3, .length = 40000}, 1);
  const auto all = followers(splits, 1);
  int often = 0;
  for (const auto& [context, next] : all) {
    EXPECT_LE(next.size(), 3U) << context[0];
    double total = 0;
    for (const auto& [token, count] : next) total += count;
    if (total < 1000) continue;  // the walk reaches this context rarely
    ++often;
    ASSERT_EQ(next.size(), 3U) << context[0];
    for (const auto& [token, count] : next) {  // shares of 1/3; five standard errors
      EXPECT_NEAR(count / total, 1.0 / 3, 5 * std::sqrt(2.0 / 9 / total)) << context[0];
    }
  }
  EXPECT_GT(often, 3);
}

TEST(SyntheticText, OrderIsWhatTheNextTokenDependsOn) {
  const auto splits = make_synthetic_text({.vocab = 6, .order = 2, .branching = 2}, 1);
  for (const auto& [context, next] : followers(splits, 2)) EXPECT_LE(next.size(), 2U);
  std::size_t most = 0;
  for (const auto& [context, next] : followers(splits, 1)) most = std::max(most, next.size());
  EXPECT_GT(most, 2U) << "one token alone does not tell the next";
}

TEST(SyntheticText, EntropyRateIsThatOfTheBranches) {
  EXPECT_DOUBLE_EQ(*load_text("synthetic-text:branching=5", 1).entropy_rate, std::log(5.0));
}

TEST(SyntheticText, SeedNamesTheTextAndSplitsDiffer) {
  const SyntheticTextOptions small{.length = 1000};
  const auto a = make_synthetic_text(small, 7), b = make_synthetic_text(small, 7),
             c = make_synthetic_text(small, 8);
  EXPECT_EQ(a.train.tokens, b.train.tokens);
  EXPECT_EQ(a.test.tokens, b.test.tokens);
  EXPECT_NE(a.train.tokens, c.train.tokens);
  EXPECT_NE(a.valid.tokens, a.test.tokens);
}

TEST(SyntheticText, OptionsOfTheSpecGiveTheSizes) {
  const auto splits = load_text("synthetic-text:vocab=20,length=500,seq=12,order=2", 1);
  EXPECT_EQ(splits.train.size(), 500);
  EXPECT_EQ(splits.valid.size(), 50);
  EXPECT_EQ(splits.test.size(), 50);
  EXPECT_EQ(splits.seq, 12);
  EXPECT_EQ(splits.train.vocabulary.size(), 20U);
  EXPECT_EQ(splits.train.vocabulary[19], "w19");
}

TEST(SyntheticText, ChainThatIsTooLargeIsAUsageError) {
  const auto error = [](const std::string& spec) {
    return error_of<UsageError>([&] { load_text(spec, 1); });
  };
  expect_has(error("synthetic-text:vocab=1000,order=3"),
             {"vocab^order", "at most 1048576", "1000^3"});
  expect_has(error("synthetic-text:vocab=3"), {"branching must be at most vocab", "4 and 3"});
}

}  // namespace
}  // namespace terse
