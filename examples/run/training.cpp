#include "examples/run/training.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <span>

#include "examples/run/account.hpp"
#include "examples/run/agreement.hpp"
#include "examples/run/fault_flags.hpp"
#include "examples/run/interruption.hpp"
#include "tersegrad/comm/faults/faulty_endpoint.hpp"
#include "tersegrad/comm/setup/non_finite.hpp"
#include "tersegrad/comm/training/distributed_optimizer.hpp"
#include "tersegrad/comm/training/local_sgd.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/kernels/conv/conv2d.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/parameters.hpp"
#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/optimizer.hpp"
#include "tersegrad/optim/schedule.hpp"

namespace terse::run {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// What the workers of a process share: the plan before they start, the result after they end.
struct Run {
  const RunConfig& config;
  const Dataset& data;
  const Listener& listener;
  TopologyPlan plan, plain_plan;  // plain: the same topology for `none`
  TopologyPlan local_plan;        // where models meet instead of gradients
  RunResult result;               // worker 0 writes it
};

// One worker's whole part in a run.
class Trainer {
 public:
  Trainer(Run& run, Worker& me);
  void train();

 private:
  double train_step();
  bool update(float lr);
  void count(double loss, bool taken);
  void report(double loss);
  void drop(const DroppedWorker& dropped);
  bool labels_are_dealt_for_good() const { return config_.partition.starts_with("by-label"); }
  void measure_density();
  void evaluate();
  void average_buffers();
  void measure_uncompressed();
  void hand_in();
  std::optional<double> virtual_seconds() const {
    const auto* clock = me_.virtual_clock();
    return clock ? std::optional(clock->now() - virtual_start_) : std::nullopt;
  }
  DistributedOptimizer::Options optimizer_options();
  std::size_t message_bytes() const {
    return local_ ? local_->message_bytes() : optimizer_.message_bytes();
  }
  double rate() const {
    return *config_.lr * schedule_({.step = step_,
                                    .total_steps = total_steps_,
                                    .steps_per_epoch = task_->steps_per_epoch()});
  }

  Run& run_;
  const RunConfig& config_;
  Worker& me_;
  Agreement agreement_;
  std::unique_ptr<Task> task_;
  ParameterBuffer parameters_;
  std::vector<ParameterBuffer::Named> buffers_;
  std::unique_ptr<UpdateRule> rule_;
  DistributedOptimizer optimizer_;
  std::optional<LocalSgd> local_;  // from the first local step on
  Schedule schedule_;
  std::unique_ptr<DensityProbe> probe_;  // --measure density

  bool deal_training_ = false;  // at the next epoch, because workers have left
  std::int64_t step_ = 0, total_steps_ = 0;
  double lr_ = 0;  // of the last step
  std::int64_t skipped_ = 0, skipped_in_a_row_ = 0;
  double busy_seconds_ = 0;  // in steps, the first one apart
  // Of this worker, over the steps that were taken: since the last evaluation, in the last epoch.
  double loss_sum_ = 0, epoch_loss_sum_ = 0;
  std::int64_t loss_count_ = 0, epoch_loss_count_ = 0;
  std::uint64_t uncompressed_ = 0;  // bytes that `none` would send in a step
  double reported_seconds_ = 0;
  std::int64_t samples_ = 0, reported_samples_ = 0;  // of all workers, in these steps
  std::int64_t all_samples_ = 0;                     // and in the first step, too
  PhaseTimes reported_times_, first_step_times_;
  PhaseTimes reported_virtual_times_, first_step_virtual_times_;
  double reported_hidden_ = 0, first_step_hidden_ = 0;
  double virtual_start_ = 0;
};

Trainer::Trainer(Run& run, Worker& me)
    : run_(run),
      config_(run.config),
      me_(me),
      agreement_(me),
      task_(make_task(config_, run.data, me.rank(), me.size())),
      parameters_(nn::parameters(task_->model())),
      buffers_(nn::buffers(task_->model())),
      rule_(make_update_rule(config_.optimizer)),
      optimizer_(me, parameters_, *rule_, make_run_compressor(config_), run.plan.join(me),
                 optimizer_options()),
      schedule_(make_schedule(config_.schedule)) {
  nn::seed_dropout(task_->model(), config_.seed, static_cast<std::uint32_t>(me.rank()));
  if (config_.measure == "density") {
    probe_ = std::make_unique<DensityProbe>(config_, run.data, me.rank(), me.size());
  }
  total_steps_ = config_.steps > 0 ? config_.steps : config_.epochs * task_->steps_per_epoch();
}

DistributedOptimizer::Options Trainer::optimizer_options() {
  DistributedOptimizer::Options options{.seed = config_.seed,
                                        .non_finite = parse_non_finite(config_.non_finite),
                                        .attack = parse_attack(config_.attack),
                                        .bucket_bytes = bucket_bytes(config_)};
  if (config_.compute) options.compute = parse_seconds(*config_.compute);
  if (!may_shrink(config_)) return options;
  options.rejoin = [this](Worker& left) {
    task_->deal_test(left.rank(), left.size());
    deal_training_ = !labels_are_dealt_for_good();
    return run_.plan.rejoin(left);
  };
  options.on_drop = [this](const DroppedWorker& dropped) { drop(dropped); };
  return options;
}

void Trainer::train() {
  measure_uncompressed();
  put_on_faults(me_, parse_attack(config_.attack), config_.seed);
  const std::int64_t per_epoch = task_->steps_per_epoch();
  while (step_ < total_steps_) {
    throw_if_interrupted();
    if (deal_training_ && step_ % per_epoch == 0) {
      task_->deal_training(me_.rank(), me_.size(), step_ / per_epoch);
      deal_training_ = false;
    }
    if (probe_ && step_ % per_epoch == 0) measure_density();
    task_->load();
    const auto start = Clock::now();
    const double loss = train_step();
    const auto samples = task_->samples_per_step() * me_.size();
    all_samples_ += samples;
    if (step_ > 1 || total_steps_ == 1) {
      busy_seconds_ += seconds_since(start);
      samples_ += samples;
    }
    if (step_ == 1 && total_steps_ > 1) {
      first_step_times_ = me_.times();
      first_step_virtual_times_ = me_.virtual_times();
      first_step_hidden_ = optimizer_.hidden_seconds();
    }
    if (step_ % kReportEvery == 0 || step_ == total_steps_) report(loss);
    const bool epoch_ends = step_ % per_epoch == 0;
    const bool asked = config_.eval_every > 0 &&
                       step_ / per_epoch % std::max<std::int64_t>(1, config_.eval_every) == 0;
    if ((epoch_ends && asked) || step_ == total_steps_) evaluate();
  }
  hand_in();
}

// The training step. It is the same text for one worker and for many, over every topology.
double Trainer::train_step() {
  lr_ = rate();
  double loss = 0;
  {
    const auto timed = me_.time(Phase::compute);
    optimizer_.zero_grad();
    const Tensor objective = task_->loss();
    optimizer_.backward(objective, static_cast<float>(lr_));
    loss = static_cast<double>(objective.item());
  }
  const bool taken = update(static_cast<float>(lr_));
  ++step_;
  count(loss, taken);
  return loss;
}

void Trainer::count(double loss, bool taken) {
  if (taken) {
    skipped_in_a_row_ = 0;
    loss_sum_ += loss;
    ++loss_count_;
    if (step_ <= total_steps_ - task_->steps_per_epoch()) return;
    epoch_loss_sum_ += loss;
    ++epoch_loss_count_;
    return;
  }
  ++skipped_;
  if (++skipped_in_a_row_ < config_.max_skipped || config_.max_skipped == 0) return;
  throw NonFiniteGradient(
      fmt::format("the last {} steps, up to step {}, were skipped, because gradients were infinite "
                  "or NaN: the model has diverged; take a smaller learning rate than {:.4g}, or "
                  "raise --max-skipped",
                  skipped_in_a_row_, step_, lr_),
      static_cast<std::uint64_t>(step_));
}

// False: the step was skipped.
bool Trainer::update(float lr) {
  if (config_.local_steps == 0 || step_ < config_.local_after) return optimizer_.step(lr);
  if (!local_) {
    local_.emplace(me_, parameters_, *rule_, make_update_rule(config_.outer),
                   make_run_compressor(config_), run_.local_plan.join(me_),
                   LocalSgd::Options{.every = static_cast<std::uint64_t>(config_.local_steps),
                                     .outer_lr = static_cast<float>(config_.outer_lr.value_or(1)),
                                     .seed = config_.seed,
                                     .non_finite = parse_non_finite(config_.non_finite)});
  }
  return local_->step(lr);
}

void Trainer::report(double loss) {
  const double mean_loss = agreement_.mean(loss);
  const PhaseTimes times = me_.times();
  const auto samples = static_cast<double>(samples_ - reported_samples_);
  const double seconds = busy_seconds_ - reported_seconds_;
  const bool speaks = me_.rank() == 0 && run_.listener.on_step;
  if (speaks) {
    run_.listener.on_step({.step = step_,
                           .total_steps = total_steps_,
                           .steps_per_epoch = task_->steps_per_epoch(),
                           .loss = mean_loss,
                           .lr = lr_,
                           .samples_per_second = seconds > 0 ? samples / seconds : 0,
                           .message_bytes = message_bytes(),
                           .bytes_sent = me_.counters().bytes_sent,
                           .times = times - reported_times_,
                           .virtual_seconds = virtual_seconds(),
                           .virtual_times = me_.virtual_times() - reported_virtual_times_,
                           .hidden_seconds = optimizer_.hidden_seconds() - reported_hidden_,
                           .skipped_steps = skipped_});
  }
  reported_times_ = times;
  reported_virtual_times_ = me_.virtual_times();
  reported_hidden_ = optimizer_.hidden_seconds();
  reported_seconds_ = busy_seconds_;
  reported_samples_ = samples_;
}

void Trainer::drop(const DroppedWorker& dropped) {
  run_.result.dropped.push_back(dropped);
  if (!run_.listener.on_drop) return;
  run_.listener.on_drop(
      dropped,
      labels_are_dealt_for_good()
          ? "its training data are lost (--partition by-label); its test data are dealt anew"
          : "its test data are dealt anew, its training data at the next epoch");
}

// Every worker passes over its share, so that none waits for another past a deadline.
void Trainer::measure_density() {
  auto report = probe_->measure(parameters_, buffers_);
  if (me_.rank() != 0) return;
  report.step = step_;
  report.epoch = static_cast<double>(step_) / static_cast<double>(task_->steps_per_epoch());
  if (run_.listener.on_density) run_.listener.on_density(report);
  run_.result.densities.push_back(std::move(report));
}

// Running statistics are each worker's own, for each sees other samples; from here on all have
// their mean, so that the replicas are equal again.
void Trainer::average_buffers() {
  std::vector<double> all;
  for (const auto& [name, buffer] : buffers_) {
    all.insert(all.end(), buffer.data().begin(), buffer.data().end());
  }
  if (all.empty()) return;
  agreement_.sum(all);
  auto mean = all.begin();
  for (auto& [name, buffer] : buffers_) {
    for (auto& value : buffer.data_mut()) value = static_cast<float>(*mean++ / me_.size());
  }
}

// Every worker takes its share of the test set; the replicas are equal, or are made so.
void Trainer::evaluate() {
  if (local_) local_->meet();
  average_buffers();
  const NoGrad no_grad;
  task_->model().eval();
  const auto own = task_->test();
  task_->model().train();
  const double samples = agreement_.sum(own.samples);
  Evaluation e{.step = step_,
               .epoch = static_cast<double>(step_) / static_cast<double>(task_->steps_per_epoch()),
               .train_loss = agreement_.mean(loss_sum_ / static_cast<double>(loss_count_)),
               .metric = metric_of(run_.data),
               .test_loss = agreement_.sum(own.loss) / samples,
               .test_accuracy = agreement_.sum(own.correct) / samples};
  e.bytes_sent_per_worker =
      static_cast<std::uint64_t>(agreement_.mean(static_cast<double>(me_.counters().bytes_sent)));
  e.virtual_seconds = virtual_seconds();
  loss_sum_ = 0;
  loss_count_ = 0;
  if (me_.rank() != 0) return;
  run_.result.evaluations.push_back(e);
  if (run_.listener.on_evaluation) run_.listener.on_evaluation(e);
}

// One exchange of zero gradients without compression over the same topology, counted and forgotten.
void Trainer::measure_uncompressed() {
  const auto plain = make_compressor("none");
  const auto topology = run_.plain_plan.join(me_);
  std::vector<float> gradients(static_cast<std::size_t>(parameters_.numel()));
  const auto views = grad_views(parameters_, gradients);
  topology->run(*plain, {.seed = 0}, views, views, [](const GradientSource&) {});
  uncompressed_ = me_.counters().bytes_sent;
  me_.barrier();  // all begin at one virtual time
  me_.reset_accounts();
  if (me_.virtual_clock()) virtual_start_ = me_.virtual_clock()->now();
}

void Trainer::hand_in() {
  const auto time = virtual_seconds();
  const auto later_steps = static_cast<double>(std::max<std::int64_t>(1, step_ - 1));
  const double train_loss =
      agreement_.mean(epoch_loss_sum_ / static_cast<double>(epoch_loss_count_));
  // Local steps send at meetings alone; `none` would send at each.
  const auto sent = local_ ? static_cast<std::uint64_t>(step_) : optimizer_.counts().steps;

  Account account{
      .bytes_sent = me_.counters().bytes_sent,
      .bytes_uncompressed = uncompressed_ * sent,
      .state_hash = local_ ? local_->state_hash() : optimizer_.state_hash(),
      .skipped_steps = static_cast<std::uint64_t>(skipped_),
      .step_times = me_.times() - first_step_times_,
      .virtual_step_times = me_.virtual_times() - first_step_virtual_times_,
      .hidden_seconds = (optimizer_.hidden_seconds() - first_step_hidden_) / later_steps,
      .virtual_seconds = time.value_or(Account::kNoTime)};
  for (auto& seconds : account.step_times.seconds) seconds /= later_steps;
  for (auto& seconds : account.virtual_step_times.seconds) seconds /= later_steps;
  const auto accounts = agreement_.gather(std::bit_cast<AccountWords>(account));
  if (me_.rank() != 0) return;

  RunResult& r = run_.result;
  add_up(accounts, r);
  r.samples = all_samples_;
  if (r.virtual_seconds) {
    r.samples_per_virtual_second = static_cast<double>(r.samples) / *r.virtual_seconds;
  }
  HashArchive model;
  model.item("parameters", parameters_.values());
  r.model_hash = model.hash();
  r.train_loss = train_loss;
  r.steps = step_;
  r.steps_per_epoch = task_->steps_per_epoch();
  r.parameters = parameters_.numel();
  r.finite = std::isfinite(r.evaluations.back().test_loss) &&
             find_non_finite(grad_views(parameters_, parameters_.values())).count == 0;
  r.message_bytes = message_bytes();
  r.buckets = static_cast<std::int64_t>(optimizer_.buckets());
  r.samples_per_second = busy_seconds_ > 0 ? static_cast<double>(samples_) / busy_seconds_ : 0;
}

}  // namespace

void check_finite(const RunResult& r) {
  if (r.finite) return;
  throw NonFiniteGradient(
      "the model has diverged: its test loss, or a parameter, is infinite or NaN; take a smaller "
      "learning rate",
      static_cast<std::uint64_t>(r.steps));
}

Metric metric_of(const Dataset& data) {
  return std::holds_alternative<TextSplits>(data) ? Metric::perplexity : Metric::accuracy;
}

RunResult train(const RunConfig& config, const Dataset& data, const Listener& listener,
                Worker* me) {
  const auto start = Clock::now();
  set_thread_count(static_cast<int>(config.threads));
  kernels::set_exact_convolution(config.exact_convolution);
  if (config.topology == "async") {
    auto result = train_async(config, data, listener, me);
    result.seconds = seconds_since(start);
    return result;
  }
  const auto compressor = make_run_compressor(config);
  const auto plain = make_compressor("none");
  Run run{.config = config,
          .data = data,
          .listener = listener,
          .plan = TopologyPlan(topology_options(config), *compressor),
          .plain_plan = TopologyPlan(topology_options(config), *plain),
          .local_plan = TopologyPlan(topology_options(config), *compressor),
          .result = {}};
  if (me != nullptr) {
    Trainer(run, *me).train();
  } else {
    WorkerOptions options{
        .workers = static_cast<int>(config.workers),
        .deadline = deadline(config),
        .executor = config.topology == "local" ? Executor::turns : Executor::concurrent,
        // Between threads only an attacker changes bytes.
        .verify = parse_attack(config.attack).on_wire() ? Verify::checksum : Verify::header,
        .on_failure = parse_on_failure(config.on_failure)};
    if (config.network) {
      options.virtual_time = {
          .network = parse_network(*config.network),
          .local_work = config.compute ? LocalWork::declared : LocalWork::measured,
          .seed = config.seed};
    }
    run_workers(options, [&](Worker& worker) { Trainer(run, worker).train(); });
  }
  run.result.seconds = seconds_since(start);
  return run.result;
}

}  // namespace terse::run
