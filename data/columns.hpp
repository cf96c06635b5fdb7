// A text as columns that are read side by side: batches for truncated backpropagation through time.
//
// All W workers together have C = W B columns. Column c is the piece of tokens [c L, (c+1) L], both
// ends included: each of its first L tokens is read once, and the one after it is predicted once.
// L = floor((N - 1) / C), so all columns together predict the tokens 1 … C L. Row i of worker w's
// batches is column w + i W, for good: the union over the workers depends on W B alone, as with the
// partition `iid`, and row i of the state that a model carries belongs to row i of the next batch.
//
//   training     every step has T tokens of each column; what is left over, fewer than T tokens of
//                a column and fewer than C of the text, is dropped, the same in every epoch
//   evaluation   the last batch of the columns is shorter, and the last R = N - 1 - C L predictions
//                follow as batches of one column, with the last worker: together all workers
//                predict each of the tokens 1 … N-1 exactly once
#pragma once

#include <cstdint>
#include <vector>

#include "tersegrad/data/partition.hpp"
#include "tersegrad/data/text_dataset.hpp"

namespace terse {

struct TextBatch {
  std::int64_t epoch = 0, step = 0;  // place in the data; evaluation: epoch 0, number of the batch
  std::int64_t time = 0, batch = 0;  // T, B
  bool starts = true;  // the rows go on from nothing: the state that a model carries is to be reset
  std::vector<std::int32_t> ids;     // T×B
  std::vector<std::int32_t> labels;  // T×B: the token that follows each

  std::int64_t size() const { return std::ssize(labels); }
};

struct ColumnOptions {
  std::int64_t seq = 30;        // T
  std::int64_t first_step = 0;  // counted over all epochs: where a resumed run goes on
};

// One worker's batches of training, epoch after epoch without end, each the same as the first. A
// run that resumes inside of an epoch needs the state that its model carried.
class ColumnLoader {
 public:
  // The text must outlive the loader. A text without one whole step is a UsageError.
  ColumnLoader(const TextDataset& text, const WorkerShare& share,
               const ColumnOptions& options = {});
  ColumnLoader(TextDataset&&, const WorkerShare&, const ColumnOptions& = {}) = delete;

  // The next batch, valid until the next call. The first of an epoch starts.
  const TextBatch& next();

  // What next() will give, counted over all epochs: the first_step of a run that resumes here.
  std::int64_t step() const { return step_; }
  std::int64_t steps_per_epoch() const { return steps_per_epoch_; }

 private:
  const TextDataset* text_;
  WorkerShare share_;
  std::int64_t seq_;
  std::int64_t length_;  // L
  std::int64_t steps_per_epoch_;
  std::int64_t step_;
  TextBatch batch_;
};

// One worker's part of the evaluation of a text. It takes any text, also one of fewer tokens than
// there are columns: then the last worker has all of it.
class EvaluationColumns {
 public:
  // The text must outlive it.
  EvaluationColumns(const TextDataset& text, const WorkerShare& share, std::int64_t seq);
  EvaluationColumns(TextDataset&&, const WorkerShare&, std::int64_t) = delete;

  std::int64_t tokens() const;   // predictions of all batches; the workers' sum is N - 1
  std::int64_t batches() const;  // not the same on every worker
  const TextBatch* next();       // valid until the next call; null after the last
  void rewind() { next_ = 0; }

 private:
  std::int64_t column_batches() const { return (length_ + seq_ - 1) / seq_; }

  const TextDataset* text_;
  WorkerShare share_;
  std::int64_t seq_;
  std::int64_t length_;    // L
  std::int64_t rest_;      // R; 0 with all workers but the last
  std::int64_t next_ = 0;  // number of the next batch
  TextBatch batch_;
};

}  // namespace terse
