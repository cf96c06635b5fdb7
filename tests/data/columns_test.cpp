#include "tersegrad/data/columns.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tersegrad/core/error.hpp"
#include "tests/data/files.hpp"

namespace terse {
namespace {

using Tokens = std::vector<std::int32_t>;

// Tokens 0, 1, 2, …: each token equals its index.
TextDataset counting(std::int64_t count) {
  TextDataset text{.name = "counting",
                   .vocabulary = std::vector<std::string>(static_cast<std::size_t>(count), "w"),
                   .tokens = Tokens(static_cast<std::size_t>(count))};
  std::iota(text.tokens.begin(), text.tokens.end(), 0);
  return text;
}

TEST(ColumnLoader, TwoColumnsOfElevenTokens) {
  const auto text = counting(11);  // L = 5
  ColumnLoader loader(text, {.batch = 2}, {.seq = 2});
  ASSERT_EQ(loader.steps_per_epoch(), 2);
  const auto& batch = loader.next();
  EXPECT_EQ(batch.time, 2);
  EXPECT_EQ(batch.batch, 2);
  EXPECT_EQ(batch.ids, (Tokens{0, 5, 1, 6}));
  EXPECT_EQ(batch.labels, (Tokens{1, 6, 2, 7}));
  loader.next();
  EXPECT_EQ(batch.ids, (Tokens{2, 7, 3, 8}));
  EXPECT_EQ(batch.labels, (Tokens{3, 8, 4, 9}));
}

TEST(ColumnLoader, ColumnsAreContiguousAndEpochsAreAlike) {
  const auto text = counting(1000);
  for (const std::int64_t worker : {0, 1, 2}) {
    ColumnLoader loader(text, {worker, 3, 4}, {.seq = 7});
    const auto steps = loader.steps_per_epoch();
    ASSERT_EQ(steps, 999 / 12 / 7);
    Tokens last;
    for (std::int64_t s = 0; s < 3 * steps; ++s) {
      const auto& batch = loader.next();
      EXPECT_EQ(batch.epoch, s / steps);
      EXPECT_EQ(batch.step, s % steps);
      EXPECT_EQ(batch.starts, s % steps == 0);
      for (std::int64_t i = 0; i < 4; ++i) {
        for (std::int64_t t = 0; t < 7; ++t) {
          const auto id = batch.ids[t * 4 + i];
          ASSERT_EQ(id, (worker + 3 * i) * 83 + batch.step * 7 + t);
          ASSERT_EQ(batch.labels[t * 4 + i], id + 1);
        }
      }
    }
  }
}

TEST(ColumnLoader, UnionOverWorkersDependsOnTheProductAlone) {
  const auto text = counting(700);
  const auto seen = [&](std::int64_t workers, std::int64_t batch, std::int64_t step) {
    Tokens all;
    for (std::int64_t w = 0; w < workers; ++w) {
      ColumnLoader loader(text, {w, workers, batch}, {.seq = 5, .first_step = step});
      const auto& labels = loader.next().labels;
      all.insert(all.end(), labels.begin(), labels.end());
    }
    std::sort(all.begin(), all.end());
    return all;
  };
  for (const std::int64_t step : {0, 3, 40}) {
    const auto one = seen(1, 12, step);
    EXPECT_EQ(one.size(), 60U);
    EXPECT_EQ(std::adjacent_find(one.begin(), one.end()), one.end());
    EXPECT_EQ(seen(3, 4, step), one);
    EXPECT_EQ(seen(12, 1, step), one);
  }
}

TEST(ColumnLoader, RunGoesOnWhereAnotherStopped) {
  const auto text = counting(300);
  ColumnLoader whole(text, {1, 2, 3}, {.seq = 4});
  for (int i = 0; i < 17; ++i) whole.next();
  ColumnLoader resumed(text, {1, 2, 3}, {.seq = 4, .first_step = whole.step()});
  for (int i = 0; i < 20; ++i) {
    const auto &a = whole.next(), &b = resumed.next();
    ASSERT_EQ(a.ids, b.ids);
    ASSERT_EQ(a.epoch, b.epoch);
    ASSERT_EQ(a.starts, b.starts);
  }
}

TEST(ColumnLoader, OneStepIsEnoughAndLessIsAUsageError) {
  const auto fits = counting(61), lacks = counting(60);
  EXPECT_EQ(ColumnLoader(fits, {0, 2, 3}, {.seq = 10}).steps_per_epoch(), 1);
  expect_has(error_of<UsageError>([&] {
               ColumnLoader(lacks, {0, 2, 3}, {.seq = 10});
             }),
             {"text: expected at least workers x batch x seq + 1 tokens",
              "got seq 10, 2 workers, batch 3 and 60 tokens"});
}

TEST(ColumnLoader, WrongOptionsAreErrors) {
  const auto text = counting(100);
  const auto error = [&](const WorkerShare& share, const ColumnOptions& options) {
    return error_of<Error>([&] { ColumnLoader(text, share, options); });
  };
  expect_has(error({.batch = 2}, {.seq = 0}), {"seq", "got 1, 2 and 0"});
  expect_has(error({.batch = 0}, {.seq = 2}), {"batch", "got 1, 0 and 2"});
  expect_has(error({2, 2, 1}, {.seq = 2}), {"worker must be from 0 to 1; got 2"});
  expect_has(error({0, 2, 1}, {.seq = 2, .first_step = -1}), {"first_step", "got -1"});
  auto wrong = counting(100);
  wrong.tokens[7] = 100;
  expect_has(error_of<Error>([&] { ColumnLoader(wrong, {.batch = 2}); }),
             {"token 7", "from 0 to 99", "got 100"});
}

TEST(EvaluationColumns, EveryTokenButTheFirstIsPredictedOnce) {
  for (const std::int64_t count : {2, 3, 10, 97, 100, 101, 256}) {
    const auto text = counting(count);
    for (const std::int64_t workers : {1, 2, 3, 7}) {
      for (const std::int64_t batch : {1, 2, 5, 40}) {
        for (const std::int64_t seq : {1, 3, 30, 500}) {
          Tokens predicted;
          std::int64_t tokens = 0;
          for (std::int64_t w = 0; w < workers; ++w) {
            EvaluationColumns loader(text, {w, workers, batch}, seq);
            tokens += loader.tokens();
            std::int64_t batches = 0;
            while (const auto* each = loader.next()) {
              ASSERT_EQ(each->step, batches++);
              ASSERT_LE(each->time, seq);
              ASSERT_EQ(each->size(), each->time * each->batch);
              for (std::size_t i = 0; i < each->ids.size(); ++i) {
                ASSERT_EQ(each->labels[i], each->ids[i] + 1);
              }
              predicted.insert(predicted.end(), each->labels.begin(), each->labels.end());
            }
            ASSERT_EQ(batches, loader.batches());
          }
          ASSERT_EQ(tokens, count - 1);
          std::sort(predicted.begin(), predicted.end());
          ASSERT_EQ(predicted, Tokens(text.tokens.begin() + 1, text.tokens.end()))
              << count << " tokens, " << workers << " workers, batch " << batch << ", seq " << seq;
        }
      }
    }
  }
}

TEST(EvaluationColumns, RowsGoOnUntilABatchStarts) {
  const auto text = counting(100);  // L = 24, R = 3
  EvaluationColumns loader(text, {0, 1, 4}, 2);
  Tokens wanted;
  std::int64_t starts = 0;
  while (const auto* batch = loader.next()) {
    const Tokens first(batch->ids.begin(), batch->ids.begin() + batch->batch);
    if (!batch->starts) {
      EXPECT_EQ(first, wanted);
    }
    starts += batch->starts;
    wanted.assign(batch->labels.end() - batch->batch, batch->labels.end());
  }
  EXPECT_EQ(starts, 2) << "the columns, and the rest";
}

TEST(EvaluationColumns, RewindStartsAgain) {
  const auto text = counting(50);
  EvaluationColumns loader(text, {0, 1, 4}, 5);
  const auto first = loader.next()->ids;
  while (loader.next() != nullptr) {
  }
  EXPECT_EQ(loader.next(), nullptr);
  loader.rewind();
  EXPECT_EQ(loader.next()->ids, first);
}

}  // namespace
}  // namespace terse
