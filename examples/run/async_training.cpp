// A training run with an asynchronous server: the server's model is trained and evaluated.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "examples/run/evaluator.hpp"
#include "examples/run/interruption.hpp"
#include "examples/run/measure.hpp"
#include "examples/run/measurements.hpp"
#include "examples/run/recorder.hpp"
#include "examples/run/statistics.hpp"
#include "examples/run/step_plan.hpp"
#include "examples/run/training.hpp"
#include "tersegrad/comm/async/async.hpp"
#include "tersegrad/comm/async/server_rule.hpp"
#include "tersegrad/comm/collectives/collectives.hpp"
#include "tersegrad/comm/training/distributed_optimizer.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parameters.hpp"
#include "tersegrad/core/safetensors.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse::run {
namespace {

// One worker's network and its place in the data. In a simulation no thread prefetches batches:
// there would be one for each worker.
class NetworkLearner final : public Learner {
 public:
  // `is_new`: its state is not loaded afterwards.
  NetworkLearner(const RunConfig& config, const Dataset& data, int worker, bool is_new)
      : task_(make_task(config, data, worker, static_cast<int>(config.workers),
                        config.async.clock == AsyncClock::virtual_time ? 0 : 4)),
        parameters_(nn::parameters(task_->model())),
        buffers_(nn::buffers(task_->model())) {
    nn::seed_dropout(task_->model(), config.seed, static_cast<std::uint32_t>(worker));
    if (is_new) load_initial_weights(config, *task_);
  }

  void serialize(Archive& archive) override { task_->serialize(archive); }

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
  // Without `me` all workers are in this process; with it, this process is one of them or the
  // server, and only the server has the result.
  RunResult train(Worker* me, const Checkpoint* resume);

 private:
  StepPlan make_plan();
  AsyncResult train_virtually(AsyncRun& run, const Checkpoint* resume);
  AsyncResult train_really(AsyncRun& run, Worker* me, const Checkpoint* resume);
  bool after_update(std::int64_t step, Serialize state);
  void save(std::int64_t step, Serialize state);
  void save(std::int64_t step, std::vector<StatePart> parts);
  std::vector<StatePart> parts_of(const AsyncResult& done);
  void serialize_record(Archive& archive);
  void take(const AsyncPush& push);
  void report(const AsyncPush& push);
  void report_staleness(std::int64_t step);
  void log_push(const AsyncPush& push);
  void evaluate(const AsyncPush& push);
  void average_buffers();
  void finish(AsyncResult done);
  void add_traffic(const AsyncResult& done);
  void add_times(const AsyncResult& done);

  const RunConfig& config_;
  const Dataset& data_;
  const Listener& listener_;
  AsyncOptions options_;
  std::unique_ptr<Task> server_task_;  // evaluated, and never trained on
  Evaluator evaluator_;
  ParameterBuffer parameters_;
  std::vector<ParameterBuffer::Named> buffers_;
  std::unique_ptr<UpdateRule> rule_;
  std::unique_ptr<Recorder> recorder_;           // --record
  std::vector<const NetworkLearner*> learners_;  // in virtual time; alive while it runs
  std::int64_t samples_per_push_ = 0;            // of the first
  StepPlan plan_;                                // a step is an update

  RunResult result_;
  RunStatistics statistics_;
  StalenessRecord staleness_;
  std::int64_t pushes_ = 0;
  std::vector<double> last_push_;  // by worker: its time
  bool is_hogwild_;
  bool ended_ = false;  // by a signal, before its last update
};

AsyncTrainer::AsyncTrainer(const RunConfig& config, const Dataset& data, const Listener& listener)
    : config_(config),
      data_(data),
      listener_(listener),
      options_(async_options(config)),
      server_task_(make_task(config, data, 0, 1, 0)),
      evaluator_(config.evaluate.value(), data),
      parameters_(nn::parameters(server_task_->model())),
      buffers_(nn::buffers(server_task_->model())),
      rule_(make_update_rule(config.optimizer)),
      plan_(make_plan()),
      is_hogwild_(make_server_rule(options_.rule, options_.workers).hogwild) {
  options_.updates = static_cast<std::uint64_t>(plan_.total());
}

// An epoch has as many updates as it takes to pass over the data once: the steps of a worker times
// the number of workers, divided by the pushes of an update.
StepPlan AsyncTrainer::make_plan() {
  check<UsageError>(buffers_.empty() || options_.clock == AsyncClock::virtual_time,
                    "--clock real with --model {}: the running statistics of the model stay on "
                    "the workers, so the server cannot evaluate its model; use --clock virtual",
                    config_.model);
  const auto first = make_task(config_, data_, 0, static_cast<int>(config_.workers), 0);
  first->load();
  samples_per_push_ = first->samples_per_step();
  return StepPlan(config_, std::max<std::int64_t>(1, first->steps_per_epoch() * config_.workers /
                                                         pushes_per_update(options_)));
}

RunResult AsyncTrainer::train(Worker* me, const Checkpoint* resume) {
  if (resume == nullptr) load_initial_weights(config_, *server_task_);
  AsyncRun run{.parameters = parameters_,
               .update = *rule_,
               .make_learner =
                   [this, is_new = resume == nullptr](int worker) {
                     auto learner =
                         std::make_unique<NetworkLearner>(config_, data_, worker, is_new);
                     if (options_.clock == AsyncClock::virtual_time)
                       learners_.push_back(learner.get());
                     return learner;
                   },
               .rate =
                   [this](std::uint64_t version) {
                     return static_cast<float>(plan_.rate(static_cast<std::int64_t>(version)));
                   },
               .on_push = [this](const AsyncPush& push) { take(push); }};
  if (config_.record) {
    recorder_ = std::make_unique<Recorder>(
        config_, parameters_, Recorder::Options{.taken = resume == nullptr ? 0 : resume->step()});
    run.on_encode = [this](const EncodedPush& push) { record_push(*recorder_, push); };
  }
  if (resume != nullptr) {
    check<UsageError>(
        plan_.total() >= resume->step(),
        "--steps or --epochs: expected at least {} steps, which the run has taken; got {}",
        resume->step(), plan_.total());
  }
  statistics_.start_clock();
  auto done = options_.clock == AsyncClock::virtual_time ? train_virtually(run, resume)
                                                         : train_really(run, me, resume);
  if (ended_) throw_interrupted();
  if (recorder_) recorder_->finish();
  if (me == nullptr || me->rank() == kAsyncServer) finish(std::move(done));
  return std::move(result_);
}

// ---- virtual time: checkpoints between two events -----------------------------------------------

AsyncResult AsyncTrainer::train_virtually(AsyncRun& run, const Checkpoint* resume) {
  run.after_update = [this](std::uint64_t version, Serialize state) {
    return after_update(static_cast<std::int64_t>(version), state);
  };
  if (resume != nullptr) {
    run.resume = [&](Serialize state) {
      resume->load("", [&](Archive& archive) {
        state(archive);
        serialize_record(archive);
      });
    };
  }
  return run_async(options_, run);
}

// Saves the run if it is time. Returns false if the run ends here by a signal.
bool AsyncTrainer::after_update(std::int64_t step, Serialize state) {
  ended_ = interrupted() && step < plan_.total();
  const bool due = config_.checkpoint_every > 0 && step % config_.checkpoint_every == 0;
  if (listener_.on_checkpoint && (due || ended_ || step == plan_.total())) save(step, state);
  return !ended_;
}

void AsyncTrainer::save(std::int64_t step, Serialize state) {
  save(step, std::vector<StatePart>{{"", safetensors_of([&](Archive& archive) {
                                       state(archive);
                                       serialize_record(archive);
                                     })}});
}

void AsyncTrainer::save(std::int64_t step, std::vector<StatePart> parts) {
  RunState all{.step = step, .log_bytes = 0, .parts = std::move(parts)};
  if (listener_.log_bytes) all.log_bytes = listener_.log_bytes();
  listener_.on_checkpoint(all);
}

// ---- real time: the run pauses for a checkpoint -------------------------------------------------

namespace {

std::string worker_scope(int worker) {
  return fmt::format("worker.{}", worker);
}

}  // namespace

// Between two pieces the server and the workers exist only as their states.
AsyncResult AsyncTrainer::train_really(AsyncRun& run, Worker* me, const Checkpoint* resume) {
  const bool is_server = me == nullptr || me->rank() == kAsyncServer;
  run.keeps_states = listener_.on_checkpoint && !is_hogwild_;
  if (resume != nullptr) {
    run.resume_server = [resume](Serialize state) { resume->load("server", state); };
    run.resume_worker = [resume](int worker, Serialize state) {
      resume->load(worker_scope(worker), state);
    };
    resume->load("past", [this](Archive& archive) { serialize_record(archive); });
  }
  std::int64_t step = resume == nullptr ? 0 : resume->step();
  for (;;) {
    const auto every = run.keeps_states ? config_.checkpoint_every : 0;
    const auto next = every > 0 ? (step / every + 1) * every : plan_.total();
    run.pauses = [next](std::uint64_t version) {
      return interrupted() || static_cast<std::int64_t>(version) >= next;
    };
    auto done = run_async(options_, run, me);
    std::uint64_t ends = 0;
    if (is_server) {
      step = static_cast<std::int64_t>(done.updates);
      ended_ = interrupted() && step < plan_.total();
      ends = ended_ || step >= plan_.total() ? 1 : 0;
      if (run.keeps_states) save(step, parts_of(done));
    }
    if (me != nullptr) {  // the workers do what the server does
      std::vector<std::uint64_t> all(static_cast<std::size_t>(me->size()));
      Collectives(*me).agree(ends, 0, all);
      ends = all[kAsyncServer];
    }
    if (ends != 0) return done;
    const auto states = std::make_shared<AsyncResult>(std::move(done));
    run.resume_server = [states](Serialize state) {
      load_safetensors("the server's state", states->server_state, state);
    };
    run.resume_worker = [states, me](int worker, Serialize state) {
      const auto& all = states->worker_states;
      load_safetensors("a worker's state",
                       me != nullptr ? all.front() : all[static_cast<std::size_t>(worker)], state);
    };
  }
}

std::vector<StatePart> AsyncTrainer::parts_of(const AsyncResult& done) {
  std::vector<StatePart> parts = {{"server", done.server_state}};
  for (std::size_t w = 0; w < done.worker_states.size(); ++w) {
    parts.push_back({worker_scope(static_cast<int>(w)), done.worker_states[w]});
  }
  parts.push_back(
      {"past", safetensors_of([this](Archive& archive) { serialize_record(archive); })});
  return parts;
}

// -------------------------------------------------------------------------------------------------

void AsyncTrainer::serialize_record(Archive& archive) {
  {
    const auto scope = archive.scope("run");
    result_.serialize_past(archive, evaluator_.split(), evaluator_.metric());
  }
  const auto scope = archive.scope("record");
  const bool runs = statistics_.clock_runs();
  if (runs) statistics_.stop_clock();
  statistics_.serialize(archive);
  if (runs) statistics_.start_clock();
  archive.item("message_bytes", result_.message_bytes);
  staleness_.serialize(archive, "staleness");
  archive.item("pushes", pushes_);
  archive.item("last_push", last_push_);
}

void AsyncTrainer::take(const AsyncPush& push) {
  const auto step = static_cast<std::int64_t>(push.version);
  ++pushes_;
  log_push(push);
  statistics_.add_loss(push.loss, step, plan_.per_epoch());
  statistics_.add_samples(samples_per_push_);
  if (push.applied.empty()) return;
  for (const auto& applied : push.applied) staleness_.add(applied.staleness);
  result_.message_bytes = push.message_bytes;
  if (step == 1 && plan_.total() > 1) statistics_.exclude_first_step();
  if (is_hogwild_) throw_if_interrupted();
  if (plan_.reports(step)) report(push);
  report_staleness(step);
  if (!plan_.evaluates(step)) return;
  statistics_.stop_clock();
  evaluate(push);
  if (step < plan_.total()) statistics_.start_clock();
}

void AsyncTrainer::report(const AsyncPush& push) {
  const auto interval = statistics_.take_interval();
  if (!listener_.on_step) return;
  const auto step = static_cast<std::int64_t>(push.version);
  listener_.on_step({.step = step,
                     .total_steps = plan_.total(),
                     .steps_per_epoch = plan_.per_epoch(),
                     .loss = push.loss,
                     .lr = plan_.rate(step - 1),
                     .samples_per_second = interval.samples_per_second,
                     .message_bytes = push.message_bytes,
                     .bytes_sent = push.bytes_up,
                     .times = {},
                     .mean_staleness = staleness_.mean(),
                     .seconds = interval.seconds});
}

void AsyncTrainer::report_staleness(std::int64_t step) {
  const auto measure = config_.measure.value();
  if (!measure.health() || !listener_.on_staleness) return;
  if (!ProbePlan(measure.every, measure.count, plan_.total(), {}).is_due(step)) return;
  listener_.on_staleness({.step = step, .histogram = staleness_.histogram()});
}

// The first pushes, from which a report draws the timelines of the workers.
void AsyncTrainer::log_push(const AsyncPush& push) {
  constexpr std::int64_t kRecorded = 400;
  last_push_.resize(static_cast<std::size_t>(config_.workers));
  const double since =
      std::exchange(last_push_[static_cast<std::size_t>(push.worker)], push.seconds);
  if (pushes_ > kRecorded || !config_.measure.value().health() || !listener_.on_push) return;
  for (const auto& applied : push.applied) {
    if (applied.worker != push.worker) continue;
    listener_.on_push({.worker = push.worker,
                       .pulled = since,
                       .pushed = push.seconds,
                       .staleness = applied.staleness});
  }
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
  auto e = evaluator_.evaluate(*server_task_);
  e.step = static_cast<std::int64_t>(push.version);
  e.epoch = plan_.epochs(e.step);
  e.train_loss = statistics_.take_loss();
  e.bytes_sent_per_worker = push.bytes_up / static_cast<std::uint64_t>(config_.workers);
  if (config_.network) e.virtual_seconds = push.seconds;
  result_.evaluations.push_back(e);
  if (listener_.on_evaluation) listener_.on_evaluation(e);
  show_weights(parameters_, e.step, listener_);
}

void AsyncTrainer::finish(AsyncResult done) {
  add_final_model(parameters_, result_);
  add_traffic(done);
  add_times(done);
  result_.state_hash = done.state_hash;
  result_.train_loss = statistics_.last_epoch_loss();
  result_.steps = static_cast<std::int64_t>(done.updates);
  result_.steps_per_epoch = plan_.per_epoch();
  result_.samples_per_second = statistics_.samples_per_second();
  result_.async = std::move(done);
}

void AsyncTrainer::add_traffic(const AsyncResult& done) {
  const auto workers = static_cast<double>(config_.workers);
  Packet plain;
  std::vector<float> zeros(static_cast<std::size_t>(parameters_.numel()));
  make_compressor("none")->encode({.count = parameters_.numel()}, grad_views(parameters_, zeros),
                                  plain);
  std::uint64_t sent = 0;
  for (const auto& traffic : done.traffic) {
    result_.bytes_sent.push_back(traffic.bytes_up);
    sent += traffic.bytes_up;
  }
  result_.bytes_sent_per_worker = static_cast<double>(sent) / workers;
  result_.bytes_uncompressed =
      static_cast<double>(plain.size_bytes()) * static_cast<double>(pushes_) / workers;
}

void AsyncTrainer::add_times(const AsyncResult& done) {
  for (std::size_t i = 0; i < kParts; ++i) {
    result_.step_times.seconds[i] = done.times.seconds[i] / static_cast<double>(done.updates);
  }
  if (!config_.network) return;
  result_.virtual_seconds = done.seconds;
  result_.samples_per_virtual_second =
      static_cast<double>(statistics_.all_samples()) / done.seconds;
  for (std::size_t i = 0; i < kParts; ++i) {
    result_.virtual_step_times.seconds[i] =
        done.virtual_times.seconds[i] / static_cast<double>(pushes_);
  }
}

}  // namespace

RunResult train_async(const RunConfig& config, const Dataset& data, const Listener& listener,
                      Worker* me, const Checkpoint* resume) {
  return AsyncTrainer(config, data, listener).train(me, resume);
}

}  // namespace terse::run
