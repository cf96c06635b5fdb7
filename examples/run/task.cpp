#include "examples/run/task.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "examples/run/command_line.hpp"
#include "examples/run/output.hpp"
#include "tersegrad/core/archive.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/ops.hpp"
#include "tersegrad/data/columns.hpp"
#include "tersegrad/data/loader.hpp"
#include "tersegrad/data/partition.hpp"
#include "tersegrad/nn/models.hpp"
#include "tersegrad/nn/weights.hpp"

namespace terse::run {
namespace {

// A worker's share of the data, and the step at which its batches begin.
struct Place {
  std::int64_t rank = 0, workers = 1, first_step = 0;

  void serialize(Archive& archive, std::string_view name) {
    const auto scope = archive.scope(name);
    archive.item("rank", rank);
    archive.item("workers", workers);
    archive.item("step", first_step);
    check(workers >= 1 && workers <= 65535 && rank >= 0 && rank < workers && first_step >= 0,
          "{}: expected a worker below the number of workers; got worker {} of {} at step {}", name,
          rank, workers, first_step);
  }
};

std::unique_ptr<nn::Layer> build_model(const RunConfig& config, const ImageDataset& images) {
  nn::Init init(config.seed);
  return nn::make_model(config.model,
                        {.channels = images.channels,
                         .height = images.height,
                         .width = images.width,
                         .classes = images.classes},
                        init);
}

const ImageDataset& evaluated_split(const RunConfig& config, const DatasetSplits& data) {
  if (config.evaluate == Split::test) return data.test;
  // A tenth of the training images, at most 5000, of which each class has the same number.
  const auto classes = data.train.classes;
  const auto each = std::min<std::int64_t>(data.train.size() / 10, 5000) / classes;
  check<UsageError>(data.valid.has_value(),
                    "--evaluate valid: expected --data with a validation split; add valid=N, which "
                    "takes N of the training images: --data {}{}valid={}",
                    config.data, config.data.find(':') == std::string::npos ? ':' : ',',
                    std::max<std::int64_t>(1, each) * classes);
  return *data.valid;
}

const TextDataset& evaluated_split(const RunConfig& config, const TextSplits& data) {
  return config.evaluate == Split::test ? data.test : data.valid;
}

// Classification of images; the score is the share that is correct.
class ImageTask final : public Task {
 public:
  ImageTask(const RunConfig& config, const DatasetSplits& data, int rank, int workers,
            std::int64_t prefetch)
      : config_(config), data_(data), prefetch_(prefetch), model_(build_model(config, data.train)) {
    partition_training(rank, workers, 0);
    partition_evaluation(rank, workers);
    steps_per_epoch_ = loader_->steps_per_epoch();
  }

  nn::Module& model() override { return *model_; }
  std::int64_t steps_per_epoch() const override { return steps_per_epoch_; }
  std::int64_t samples_per_step() const override { return batch_->size(); }

  void partition_evaluation(int rank, int workers) override {
    evaluated_ = {.rank = rank, .workers = workers};
    evaluation_.emplace(evaluated_split(config_, data_),
                        WorkerShare{.worker = rank, .workers = workers, .batch = 250});
  }
  void partition_training(int rank, int workers, std::int64_t epoch) override {
    auto partition = make_share(rank, workers);
    const auto first_step = epoch * partition->steps_per_epoch();
    start({.rank = rank, .workers = workers, .first_step = first_step}, std::move(partition));
  }

  void serialize(Archive& archive) override {
    trained_.first_step = loader_->step();
    trained_.serialize(archive, "training");
    evaluated_.serialize(archive, "test");
    nn::serialize_extra(*model_, archive);
    if (!archive.loading()) return;
    start(trained_, make_share(trained_.rank, trained_.workers));
    partition_evaluation(static_cast<int>(evaluated_.rank), static_cast<int>(evaluated_.workers));
  }

  void load() override { batch_ = &loader_->next(); }
  Tensor loss() override { return cross_entropy(logits(*batch_), batch_->labels); }

  Sums evaluate() override {
    Sums sums;
    evaluation_->rewind();
    while (const Batch* batch = evaluation_->next()) {
      const Tensor scores = logits(*batch);
      sums.samples += static_cast<double>(batch->size());
      sums.loss += static_cast<double>(cross_entropy(scores, batch->labels, Reduction::sum).item());
      const auto classes = static_cast<std::size_t>(scores.dim(1));
      for (std::size_t i = 0; i < batch->labels.size(); ++i) {
        const auto row = scores.data().subspan(i * classes, classes);
        sums.correct += std::ranges::max_element(row) - row.begin() == batch->labels[i];
      }
    }
    return sums;
  }

 private:
  Tensor logits(const Batch& batch) {
    return (*model_)(
        Tensor::from({batch.size(), batch.channels, batch.height, batch.width}, batch.images));
  }

  std::unique_ptr<const Partition> make_share(std::int64_t rank, std::int64_t workers) const {
    return for_flag("--partition", [&] {
      return make_partition(config_.partition, data_.train.labels,
                            {.worker = static_cast<int>(rank),
                             .workers = static_cast<int>(workers),
                             .batch = config_.batch},
                            config_.seed);
    });
  }
  void start(const Place& place, std::unique_ptr<const Partition> share) {
    trained_ = place;
    loader_.emplace(data_.train, std::move(share),
                    LoaderOptions{.prefetch = prefetch_, .first_step = place.first_step});
  }

  const RunConfig& config_;
  const DatasetSplits& data_;
  Place trained_, evaluated_;
  std::int64_t prefetch_, steps_per_epoch_ = 0;
  std::unique_ptr<nn::Layer> model_;
  std::optional<Loader> loader_;
  std::optional<EvaluationLoader> evaluation_;
  const Batch* batch_ = nullptr;
};

std::unique_ptr<nn::LanguageModel> build_model(const RunConfig& config, const TextSplits& data) {
  nn::Init init(config.seed);
  return nn::make_language_model(config.model, std::ssize(data.train.vocabulary), init);
}

nn::TextStretch stretch(const TextBatch& batch) {
  return {.time = batch.time, .batch = batch.batch, .ids = batch.ids, .labels = batch.labels};
}

// Prediction of the next token. The LSTM's state is carried from batch to batch within an epoch.
class TextTask final : public Task {
 public:
  TextTask(const RunConfig& config, const TextSplits& data, int rank, int workers)
      : config_(config), data_(data), model_(build_model(config, data)) {
    check<UsageError>(config.partition == "iid",
                      "--partition: expected iid, because text is divided into columns, which are "
                      "distributed over the workers; got {}",
                      config.partition);
    partition_training(rank, workers, 0);
    partition_evaluation(rank, workers);
    steps_per_epoch_ = loader_->steps_per_epoch();
  }

  nn::Module& model() override { return *model_; }
  std::int64_t steps_per_epoch() const override { return steps_per_epoch_; }
  std::int64_t samples_per_step() const override { return batch_->size(); }

  void partition_evaluation(int rank, int workers) override {
    evaluated_ = {.rank = rank, .workers = workers};
    evaluation_.emplace(
        evaluated_split(config_, data_),
        WorkerShare{.worker = rank, .workers = workers, .batch = kEvaluationColumns}, data_.seq);
  }
  void partition_training(int rank, int workers, std::int64_t epoch) override {
    start({.rank = rank, .workers = workers});
    const auto first_step = epoch * loader_->steps_per_epoch();
    start({.rank = rank, .workers = workers, .first_step = first_step});
  }

  void serialize(Archive& archive) override {
    trained_.first_step = loader_->step();
    trained_.serialize(archive, "training");
    evaluated_.serialize(archive, "test");
    nn::serialize_extra(*model_, archive);
    {
      const auto scope = archive.scope("carried");
      nn::serialize(states_, config_.batch, archive);
    }
    if (!archive.loading()) return;
    start(trained_);
    partition_evaluation(static_cast<int>(evaluated_.rank), static_cast<int>(evaluated_.workers));
  }

  void load() override { batch_ = &loader_->next(); }
  Tensor loss() override {
    if (batch_->starts) states_.clear();
    return model_->loss(stretch(*batch_), states_);
  }

  Sums evaluate() override {
    Sums sums;
    nn::LstmStates states;
    evaluation_->rewind();
    while (const TextBatch* batch = evaluation_->next()) {
      if (batch->starts) states.clear();
      sums.samples += static_cast<double>(batch->size());
      sums.loss +=
          static_cast<double>(model_->loss(stretch(*batch), states, Reduction::sum).item());
    }
    return sums;
  }

 private:
  static constexpr std::int64_t kEvaluationColumns = 10;

  void start(const Place& place) {
    trained_ = place;
    loader_.emplace(data_.train,
                    WorkerShare{.worker = static_cast<int>(place.rank),
                                .workers = static_cast<int>(place.workers),
                                .batch = config_.batch},
                    ColumnOptions{.seq = data_.seq, .first_step = place.first_step});
  }

  const RunConfig& config_;
  const TextSplits& data_;
  Place trained_, evaluated_;
  std::int64_t steps_per_epoch_ = 0;
  std::unique_ptr<nn::LanguageModel> model_;
  std::optional<ColumnLoader> loader_;
  std::optional<EvaluationColumns> evaluation_;
  const TextBatch* batch_ = nullptr;
  nn::LstmStates states_;
};

}  // namespace

Dataset load_data(const RunConfig& config) {
  return for_flag("--data", [&]() -> Dataset {
    if (is_text(config.data)) return load_text(config.data, config.seed);
    auto images = load_dataset(config.data, config.seed);
    evaluated_split(config, images);  // throws before the caller creates any file
    return images;
  });
}

void print_notes(const Dataset& data) {
  if (const auto* images = std::get_if<DatasetSplits>(&data)) {
    for (const auto& text : images->train.notes) note("{}: {}\n", images->train.name, text);
  }
}

std::unique_ptr<Task> make_task(const RunConfig& config, const Dataset& data, int rank, int workers,
                                std::int64_t prefetch) {
  if (const auto* images = std::get_if<DatasetSplits>(&data)) {
    return std::make_unique<ImageTask>(config, *images, rank, workers, prefetch);
  }
  return std::make_unique<TextTask>(config, std::get<TextSplits>(data), rank, workers);
}

void load_initial_weights(const RunConfig& config, Task& task) {
  if (config.init) nn::load(task.model(), *config.init);
}

std::string describe_model(const RunConfig& config, const Dataset& data) {
  if (const auto* splits = std::get_if<DatasetSplits>(&data)) {
    const auto& images = splits->train;
    return nn::summary(*build_model(config, images),
                       {config.batch, images.channels, images.height, images.width});
  }
  const auto& text = std::get<TextSplits>(data);
  const auto model = build_model(config, text);
  const std::vector<std::int32_t> ids(static_cast<std::size_t>(text.seq * config.batch));
  return nn::summary(
      *model, fmt::format("{} steps of {} columns of tokens", text.seq, config.batch), [&] {
        nn::LstmStates states;
        model->loss({.time = text.seq, .batch = config.batch, .ids = ids, .labels = ids}, states);
      });
}

}  // namespace terse::run
