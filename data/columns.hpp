// Batches for truncated backpropagation through time: a text of N tokens is divided into columns
// that are read in parallel.
//
// W workers with batch B have C = W B columns of L = floor((N - 1) / C) predictions each. Column c
// consists of the tokens c L … (c + 1) L, both ends included: each of its first L tokens is read,
// and the token after it is predicted. All columns together predict the tokens 1 … C L. Row i of
// the batches of worker w is always column w + i W. The union of the batches over the workers
// therefore depends only on W B, as with the partition `iid`, and row i of the state that a model
// carries belongs to row i of the next batch.
//
//   training     Every step has T tokens of each column. The remainders, fewer than T tokens of
//                each column and fewer than C tokens of the text, are dropped, the same ones in
//                every epoch.
//   evaluation   The last batch of the columns is shorter. The last R = N - 1 - C L predictions
//                follow on the last worker, as batches with one column. All workers together
//                predict each of the tokens 1 … N - 1 exactly once.
#pragma once

#include <cstdint>
#include <vector>

#include "tersegrad/data/partition.hpp"
#include "tersegrad/data/text_dataset.hpp"

namespace terse {

struct TextBatch {
  std::int64_t epoch = 0, step = 0;  // position in the data; evaluation: epoch 0, batch number
  std::int64_t time = 0, batch = 0;  // T, B
  bool starts = true;  // true if the rows begin anew, so that the model's state must be reset
  std::vector<std::int32_t> ids;     // T×B
  std::vector<std::int32_t> labels;  // T×B: the token after each of `ids`

  std::int64_t size() const { return std::ssize(labels); }
};

struct ColumnOptions {
  std::int64_t seq = 30;        // T
  std::int64_t first_step = 0;  // counted over all epochs; the step at which a run resumes
};

// An endless sequence of one worker's training batches. All epochs are equal. A run that resumes
// within an epoch must restore the state that its model carried.
class ColumnLoader {
 public:
  // The text must outlive the loader. Throws UsageError if the text is too short for one step.
  ColumnLoader(const TextDataset& text, const WorkerShare& share,
               const ColumnOptions& options = {});
  ColumnLoader(TextDataset&&, const WorkerShare&, const ColumnOptions& = {}) = delete;

  // The next batch, valid until the next call. `starts` is true in the first batch of an epoch.
  const TextBatch& next();

  // The step of the batch that next() will return, counted over all epochs. A run that resumes here
  // passes it as first_step.
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

// One worker's part of the evaluation of a text. The text may have fewer tokens than there are
// columns; then the last worker evaluates all of it.
class EvaluationColumns {
 public:
  // The text must outlive the object.
  EvaluationColumns(const TextDataset& text, const WorkerShare& share, std::int64_t seq);
  EvaluationColumns(TextDataset&&, const WorkerShare&, std::int64_t) = delete;

  std::int64_t tokens() const;   // predictions in all batches; N - 1 summed over the workers
  std::int64_t batches() const;  // may differ between workers
  const TextBatch* next();       // valid until the next call; null after the last batch
  void rewind() { next_ = 0; }

 private:
  std::int64_t column_batches() const { return (length_ + seq_ - 1) / seq_; }

  const TextDataset* text_;
  WorkerShare share_;
  std::int64_t seq_;
  std::int64_t length_;    // L
  std::int64_t rest_;      // R on the last worker, 0 on the others
  std::int64_t next_ = 0;  // number of the next batch
  TextBatch batch_;
};

}  // namespace terse
