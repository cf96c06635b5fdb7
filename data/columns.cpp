#include "tersegrad/data/columns.hpp"

#include <algorithm>
#include <limits>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

void check_share(const TextDataset& text, const WorkerShare& share, std::int64_t seq) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  check_text(text);
  check<UsageError>(share.batch >= 1 && share.batch <= kMost && share.workers >= 1 &&
                        share.workers <= kMost && seq >= 1 && seq <= kMost,
                    "text: workers, batch and seq must be from 1 to 2^31 - 1; got {}, {} and {}",
                    share.workers, share.batch, seq);
  check(share.worker >= 0 && share.worker < share.workers,
        "text: worker must be from 0 to {}; got {}", share.workers - 1, share.worker);
}

// L, the number of predictions of each column.
std::int64_t column_length(const TextDataset& text, const WorkerShare& share) {
  return (text.size() - 1) / (share.workers * share.batch);
}

// Fills `batch` with `time` tokens of each row; row i begins at token first + i · stride.
struct Rows {
  std::int64_t first, stride, count;
};
void fill(const TextDataset& text, const Rows& rows, std::int64_t time, TextBatch& batch) {
  batch.time = time;
  batch.batch = rows.count;
  batch.ids.resize(static_cast<std::size_t>(time * rows.count));
  batch.labels.resize(batch.ids.size());
  for (std::int64_t i = 0; i < rows.count; ++i) {
    const std::int32_t* token = text.tokens.data() + rows.first + i * rows.stride;
    for (std::int64_t t = 0; t < time; ++t) {
      const auto at = static_cast<std::size_t>(t * rows.count + i);
      batch.ids[at] = token[t];
      batch.labels[at] = token[t + 1];
    }
  }
}

// The rows of a worker, beginning at offset `begin` of its columns.
Rows own_rows(const WorkerShare& share, std::int64_t length, std::int64_t begin) {
  return {.first = share.worker * length + begin,
          .stride = share.workers * length,
          .count = share.batch};
}

}  // namespace

ColumnLoader::ColumnLoader(const TextDataset& text, const WorkerShare& share,
                           const ColumnOptions& options)
    : text_(&text), share_(share), seq_(options.seq), step_(options.first_step) {
  check_share(text, share, seq_);
  check(step_ >= 0, "text: first_step must be at least 0; got {}", step_);
  length_ = column_length(text, share);
  steps_per_epoch_ = length_ / seq_;
  check<UsageError>(steps_per_epoch_ > 0,
                    "text: expected at least workers x batch x seq + 1 tokens; got seq {}, {} "
                    "workers, batch {} and {} tokens; use a smaller seq or batch",
                    seq_, share.workers, share.batch, text.size());
}

const TextBatch& ColumnLoader::next() {
  batch_.epoch = step_ / steps_per_epoch_;
  batch_.step = step_ % steps_per_epoch_;
  batch_.starts = batch_.step == 0;
  fill(*text_, own_rows(share_, length_, batch_.step * seq_), seq_, batch_);
  ++step_;
  return batch_;
}

EvaluationColumns::EvaluationColumns(const TextDataset& text, const WorkerShare& share,
                                     std::int64_t seq)
    : text_(&text), share_(share), seq_(seq) {
  check_share(text, share, seq);
  length_ = column_length(text, share);
  const bool last = share.worker == share.workers - 1;
  rest_ = last ? text.size() - 1 - share.workers * share.batch * length_ : 0;
}

std::int64_t EvaluationColumns::tokens() const {
  return share_.batch * length_ + rest_;
}

std::int64_t EvaluationColumns::batches() const {
  return column_batches() + (rest_ + seq_ - 1) / seq_;
}

const TextBatch* EvaluationColumns::next() {
  if (next_ == batches()) return nullptr;
  const bool in_columns = next_ < column_batches();
  const auto place = (in_columns ? next_ : next_ - column_batches()) * seq_;
  batch_.step = next_++;
  batch_.starts = place == 0;
  if (in_columns) {
    fill(*text_, own_rows(share_, length_, place), std::min(seq_, length_ - place), batch_);
  } else {
    const Rows rest{.first = text_->size() - 1 - rest_ + place, .stride = 0, .count = 1};
    fill(*text_, rest, std::min(seq_, rest_ - place), batch_);
  }
  return &batch_;
}

}  // namespace terse
