// A training run with an asynchronous server: the server's model is trained and tested.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <vector>

#include "examples/run/interruption.hpp"
#include "examples/run/training.hpp"
#include "tersegrad/comm/async/async.hpp"
#include "tersegrad/comm/setup/non_finite.hpp"
#include "tersegrad/comm/training/distributed_optimizer.hpp"
#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parameters.hpp"
#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/schedule.hpp"

namespace terse::run {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_from(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// One worker's network and its place in the data. In a simulation no thread makes batches ahead:
// there would be one a worker.
class NetworkLearner final : public Learner {
 public:
  NetworkLearner(const RunConfig& config, const Dataset& data, int worker)
      : task_(make_task(config, data, worker, static_cast<int>(config.workers),
                        config.async.clock == "virtual" ? 0 : 4)),
        parameters_(nn::parameters(task_->model())),
        buffers_(nn::buffers(task_->model())) {
    nn::seed_dropout(task_->model(), config.seed, static_cast<std::uint32_t>(worker));
  }

  Result gradient(std::span<const float> model) override {
    task_->load();
    std::ranges::copy(model, parameters_.values().begin());
    parameters_.zero_grad();
    const Tensor objective = task_->loss();
    objective.backward();
    return {.loss = static_cast<double>(objective.item()), .gradient = parameters_.gradients()};
  }

  const std::vector<ParameterBuffer::Named>& buffers() const { return buffers_; }

 private:
  std::unique_ptr<Task> task_;
  ParameterBuffer parameters_;
  std::vector<ParameterBuffer::Named> buffers_;
};

class AsyncTrainer {
 public:
  AsyncTrainer(const RunConfig& config, const Dataset& data, const Listener& listener);
  // In this process, or as the part of a process among others: the server's has the result.
  RunResult train(Worker* me);

 private:
  void take(const AsyncPush& push);
  void report(const AsyncPush& push);
  void evaluate(const AsyncPush& push);
  void average_buffers();
  void hand_in(AsyncResult done);
  double rate(std::uint64_t step) const {
    return *config_.lr * schedule_({.step = static_cast<std::int64_t>(step),
                                    .total_steps = total_steps_,
                                    .steps_per_epoch = steps_per_epoch_});
  }

  const RunConfig& config_;
  const Dataset& data_;
  const Listener& listener_;
  AsyncOptions options_;
  std::unique_ptr<Task> judge_;  // the server's network: it is tested, and sees no sample
  ParameterBuffer parameters_;
  std::vector<ParameterBuffer::Named> buffers_;
  std::unique_ptr<UpdateRule> rule_;
  Schedule schedule_;
  std::vector<const NetworkLearner*> learners_;  // in virtual time, alive as long as it runs
  std::int64_t steps_per_epoch_ = 0, total_steps_ = 0;
  std::int64_t samples_per_push_ = 0;  // of the first

  RunResult result_;
  StalenessRecord staleness_;
  double loss_sum_ = 0;  // over the pushes since the last evaluation
  std::int64_t loss_count_ = 0;
  double epoch_loss_sum_ = 0;  // over the pushes of the last epoch
  std::int64_t epoch_loss_count_ = 0;
  std::int64_t pushes_ = 0, first_pushes_ = 0, reported_pushes_ = 0;  // first: before update 1
  Clock::time_point busy_since_{};
  double busy_seconds_ = 0, reported_seconds_ = 0;  // from the first update on, without tests
};

AsyncTrainer::AsyncTrainer(const RunConfig& config, const Dataset& data, const Listener& listener)
    : config_(config),
      data_(data),
      listener_(listener),
      options_(async_options(config)),
      judge_(make_task(config, data, 0, 1, 0)),
      parameters_(nn::parameters(judge_->model())),
      buffers_(nn::buffers(judge_->model())),
      rule_(make_update_rule(config.optimizer)),
      schedule_(make_schedule(config.schedule)) {
  check<UsageError>(buffers_.empty() || options_.clock == AsyncClock::virtual_time,
                    "--clock real with --model {}: its running statistics stay on the workers and "
                    "nobody could test the server's model; take --clock virtual",
                    config.model);
  // An epoch is as many updates as pass over the data once: the steps of a worker times their
  // number, by how many pushes an update takes.
  const auto steps = make_task(config, data, 0, static_cast<int>(config.workers), 0);
  steps->load();
  samples_per_push_ = steps->samples_per_step();
  steps_per_epoch_ = std::max<std::int64_t>(
      1, steps->steps_per_epoch() * config.workers / pushes_per_update(options_));
  total_steps_ = config.steps > 0 ? config.steps : config.epochs * steps_per_epoch_;
  options_.updates = static_cast<std::uint64_t>(total_steps_);
}

RunResult AsyncTrainer::train(Worker* me) {
  AsyncRun run{.parameters = parameters_,
               .update = *rule_,
               .make_learner =
                   [this](int worker) {
                     auto learner = std::make_unique<NetworkLearner>(config_, data_, worker);
                     if (options_.clock == AsyncClock::virtual_time) {
                       learners_.push_back(learner.get());
                     }
                     return learner;
                   },
               .rate = [this](std::uint64_t version) { return static_cast<float>(rate(version)); },
               .on_push = [this](const AsyncPush& push) { take(push); }};
  busy_since_ = Clock::now();
  auto done = run_async(options_, run, me);
  if (me == nullptr || me->rank() == kAsyncServer) hand_in(std::move(done));
  return std::move(result_);
}

void AsyncTrainer::take(const AsyncPush& push) {
  ++pushes_;
  loss_sum_ += push.loss;
  ++loss_count_;
  const auto step = static_cast<std::int64_t>(push.version);
  if (step > total_steps_ - steps_per_epoch_) {
    epoch_loss_sum_ += push.loss;
    ++epoch_loss_count_;
  }
  if (push.applied.empty()) return;
  for (const auto& applied : push.applied) staleness_.add(applied.staleness);
  result_.message_bytes = push.message_bytes;
  if (step == 1 && total_steps_ > 1) {  // its time is not counted, unless there is no other
    first_pushes_ = pushes_;
    busy_since_ = Clock::now();
  }
  throw_if_interrupted();
  if (step % kReportEvery == 0 || step == total_steps_) report(push);
  const bool epoch_ends = step % steps_per_epoch_ == 0;
  const bool asked = config_.eval_every > 0 && step / steps_per_epoch_ % config_.eval_every == 0;
  if ((epoch_ends && asked) || step == total_steps_) {
    busy_seconds_ += seconds_from(busy_since_);
    evaluate(push);
    busy_since_ = Clock::now();
  }
}

void AsyncTrainer::report(const AsyncPush& push) {
  if (!listener_.on_step) return;
  const double seconds = busy_seconds_ + seconds_from(busy_since_);
  const double samples = static_cast<double>((pushes_ - reported_pushes_) * samples_per_push_);
  listener_.on_step({.step = static_cast<std::int64_t>(push.version),
                     .total_steps = total_steps_,
                     .steps_per_epoch = steps_per_epoch_,
                     .loss = push.loss,
                     .lr = rate(push.version - 1),
                     .samples_per_second = samples / (seconds - reported_seconds_),
                     .message_bytes = push.message_bytes,
                     .bytes_sent = push.bytes_up,
                     .times = {},
                     .mean_staleness = staleness_.mean()});
  reported_pushes_ = pushes_;
  reported_seconds_ = seconds;
}

// The server's network takes the mean of the workers' running statistics, as replicas do.
void AsyncTrainer::average_buffers() {
  for (std::size_t b = 0; b < buffers_.size(); ++b) {
    const auto mean = buffers_[b].tensor.data_mut();
    for (std::size_t i = 0; i < mean.size(); ++i) {
      double sum = 0;
      for (const auto* learner : learners_) {
        sum += static_cast<double>(learner->buffers()[b].tensor.data()[i]);
      }
      mean[i] = static_cast<float>(sum / static_cast<double>(learners_.size()));
    }
  }
}

void AsyncTrainer::evaluate(const AsyncPush& push) {
  average_buffers();
  const NoGrad no_grad;
  judge_->model().eval();
  const auto test = judge_->test();
  judge_->model().train();
  const auto step = static_cast<std::int64_t>(push.version);
  const Evaluation e{
      .step = step,
      .epoch = static_cast<double>(step) / static_cast<double>(steps_per_epoch_),
      .train_loss = loss_sum_ / static_cast<double>(loss_count_),
      .metric = metric_of(data_),
      .test_loss = test.loss / test.samples,
      .test_accuracy = test.correct / test.samples,
      .bytes_sent_per_worker = push.bytes_up / static_cast<std::uint64_t>(config_.workers),
      .virtual_seconds = config_.network ? std::optional(push.seconds) : std::nullopt};
  loss_sum_ = 0;
  loss_count_ = 0;
  result_.evaluations.push_back(e);
  if (listener_.on_evaluation) listener_.on_evaluation(e);
}

void AsyncTrainer::hand_in(AsyncResult done) {
  auto& r = result_;
  const auto workers = static_cast<double>(config_.workers);
  Packet plain;
  std::vector<float> zeros(static_cast<std::size_t>(parameters_.numel()));
  make_compressor("none")->encode({.count = parameters_.numel()}, grad_views(parameters_, zeros),
                                  plain);
  std::uint64_t sent = 0;
  for (const auto& traffic : done.traffic) {
    r.bytes_sent.push_back(traffic.bytes_up);
    sent += traffic.bytes_up;
  }
  r.bytes_sent_per_worker = static_cast<double>(sent) / workers;
  r.bytes_uncompressed =
      static_cast<double>(plain.size_bytes()) * static_cast<double>(pushes_) / workers;
  for (std::size_t i = 0; i < kPhases; ++i) {
    r.step_times.seconds[i] = done.times.seconds[i] / static_cast<double>(done.updates);
  }
  if (config_.network) {
    const auto pushes = static_cast<double>(pushes_);
    r.virtual_seconds = done.seconds;
    r.samples_per_virtual_second = pushes * static_cast<double>(samples_per_push_) / done.seconds;
    for (std::size_t i = 0; i < kPhases; ++i) {
      r.virtual_step_times.seconds[i] = done.virtual_times.seconds[i] / pushes;
    }
  }
  HashArchive model;
  model.item("parameters", parameters_.values());
  r.model_hash = model.hash();
  r.state_hash = done.state_hash;
  r.train_loss = epoch_loss_sum_ / static_cast<double>(epoch_loss_count_);
  r.steps = static_cast<std::int64_t>(done.updates);
  r.steps_per_epoch = steps_per_epoch_;
  r.parameters = parameters_.numel();
  r.finite = std::isfinite(r.evaluations.back().test_loss) &&
             find_non_finite(grad_views(parameters_, parameters_.values())).count == 0;
  const auto samples = static_cast<double>((pushes_ - first_pushes_) * samples_per_push_);
  r.samples_per_second = busy_seconds_ > 0 ? samples / busy_seconds_ : 0;
  r.async = std::move(done);
}

}  // namespace

RunResult train_async(const RunConfig& config, const Dataset& data, const Listener& listener,
                      Worker* me) {
  return AsyncTrainer(config, data, listener).train(me);
}

}  // namespace terse::run
