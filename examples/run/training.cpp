#include "examples/run/training.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "examples/run/averaged_model.hpp"
#include "examples/run/health_probe.hpp"
#include "examples/run/interruption.hpp"
#include "examples/run/law_probe.hpp"
#include "examples/run/output.hpp"
#include "examples/run/trainer.hpp"
#include "tersegrad/comm/faults/faulty_endpoint.hpp"
#include "tersegrad/comm/setup/non_finite.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/kernels/conv/conv2d.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse::run {

Trainer::Trainer(Run& run, Worker& me)
    : run_(run),
      config_(run.config),
      me_(me),
      rank_at_start_(me.rank()),
      all_workers_(me),
      evaluator_(config_.evaluate.value(), run.data, &all_workers_),
      task_(make_task(config_, run.data, me.rank(), me.size())),
      plan_(config_, task_->steps_per_epoch()),
      parameters_(nn::parameters(task_->model())),
      buffers_(nn::buffers(task_->model())),
      rule_(make_update_rule(config_.optimizer)),
      probes_(make_probes()),
      optimizer_(me, parameters_, *rule_, make_run_compressor(config_, probes_), run.plan.join(me),
                 optimizer_options()) {
  nn::seed_dropout(task_->model(), config_.seed, static_cast<std::uint32_t>(me.rank()));
  if (run.resume == nullptr) load_initial_weights(config_, *task_);
  if (config_.measure.value().density) {
    density_ = std::make_unique<DensityProbe>(config_, run.data, me.rank(), me.size());
  }
}

StepProbes Trainer::make_probes() {
  StepProbes probes;
  const auto measure = config_.measure.value();
  const ProbePlan::LocalSteps local{config_.local_steps, config_.local_after};
  if (measure.health()) {
    probes.push_back(std::make_unique<HealthProbe>(
        ProbePlan(measure.every, measure.count, plan_.total(), local), me_, all_workers_,
        parameters_.infos(), config_.seed, [this](const HealthReport& report) {
          if (run_.listener.on_health) run_.listener.on_health(report);
        }));
  }
  if (const auto every = config_.check_laws.value().every; every > 0) {
    probes.push_back(std::make_unique<LawProbe>(ProbePlan(every, 0, plan_.total(), local), me_,
                                                all_workers_, parameters_.infos(),
                                                run_.listener.on_law_check));
  }
  if (run_.recorder) {
    probes.push_back(make_recording_probe(*run_.recorder, me_, rank_at_start_));
  }
  return probes;
}

DistributedOptimizer::Options Trainer::optimizer_options() {
  DistributedOptimizer::Options options{.seed = config_.seed,
                                        .non_finite = config_.non_finite.value(),
                                        .attack = parse_attack(config_.attack),
                                        .bucket_bytes = bucket_bytes(config_)};
  if (config_.compute) options.compute = parse_seconds(*config_.compute);
  if (!may_shrink(config_)) return options;
  options.make_smaller_topology = [this](Worker& me) {
    task_->partition_evaluation(me.rank(), me.size());
    repartition_training_ = !loses_labels();
    return run_.plan.join_smaller(me);
  };
  options.on_drop = [this](const DroppedWorker& dropped) { drop(dropped); };
  return options;
}

void Trainer::train() {
  if (me_.rank() == 0) print_warnings();
  if (run_.resume == nullptr) measure_uncompressed();
  install_faults(me_, parse_attack(config_.attack), config_.seed);
  if (run_.resume != nullptr) {
    if (!run_.resume->has(scope())) return;  // this worker had left
    resume();
    report_step();
  }
  while (step_ < plan_.total()) {
    if (interrupted()) request_end();
    if (repartition_training_ && plan_.at_epoch(step_)) {
      task_->partition_training(me_.rank(), me_.size(), step_ / plan_.per_epoch());
      repartition_training_ = false;
    }
    if (density_ && plan_.at_epoch(step_)) measure_density();
    task_->load();
    for (const auto& probe : probes_) probe->begin_step(step_);
    statistics_.start_clock();
    train_step();
    statistics_.stop_clock();
    for (const auto& probe : probes_) probe->end_step(step_ - 1);
    statistics_.add_samples(task_->samples_per_step() * me_.size());
    // The first step has just ended (train_step has incremented step_). It also allocates memory.
    if (step_ == 1 && plan_.total() > 1) statistics_.exclude_first_step(costs());
    const bool ends = end_requested() && step_ < plan_.total();
    const bool due = config_.checkpoint_every > 0 && step_ % config_.checkpoint_every == 0;
    if (run_.listener.on_checkpoint && (due || ends || step_ == plan_.total())) save(ends);
    if (ends) {
      run_.ended = true;
      return;
    }
    report_step();
  }
  finish();
}

void Trainer::report_step() {
  if (plan_.reports(step_)) report();
  if (plan_.evaluates(step_)) evaluate();
}

// The training step. The code is the same for one worker and for many, and for every topology.
void Trainer::train_step() {
  lr_ = plan_.rate(step_);
  double loss = 0;
  {
    const auto timed = me_.time(Part::compute);
    optimizer_.zero_grad();
    const Tensor objective = task_->loss();
    // With buckets the exchange begins during backward; error feedback needs the rate then.
    optimizer_.backward(objective, static_cast<float>(lr_));
    loss = static_cast<double>(objective.item());
  }
  const bool taken = update(static_cast<float>(lr_));
  ++step_;
  loss_ = loss;
  if (!local_) {
    message_bytes_ = optimizer_.message_bytes();
  } else if (local_->message_bytes() > 0) {  // 0: nothing was sent since a resume
    message_bytes_ = local_->message_bytes();
  }
  record_step(loss, taken);
}

// Returns false if the step was skipped.
bool Trainer::update(float lr) {
  if (config_.local_steps == 0 || step_ < config_.local_after) return optimizer_.step(lr);
  if (!local_) make_local();
  return local_->step(lr);
}

void Trainer::make_local() {
  local_.emplace(me_, parameters_, *rule_, make_update_rule(config_.outer),
                 make_run_compressor(config_, probes_), run_.local_plan.join(me_),
                 LocalSgd::Options{.every = static_cast<std::uint64_t>(config_.local_steps),
                                   .outer_lr = static_cast<float>(config_.outer_lr.value_or(1)),
                                   .seed = config_.seed,
                                   .non_finite = config_.non_finite.value()});
  if (optimizer_.end_requested()) local_->request_end();
}

void Trainer::record_step(double loss, bool taken) {
  if (taken) {
    statistics_.add_loss(loss, step_, plan_.per_epoch());
    return;
  }
  statistics_.add_skipped_step();
  const auto in_a_row = statistics_.skipped_in_a_row();
  if (in_a_row < config_.max_skipped || config_.max_skipped == 0) return;
  throw NonFiniteGradient(
      fmt::format("the last {} steps, up to step {}, were skipped, because gradients were infinite "
                  "or NaN: the model has diverged; use a smaller learning rate than {:.4g}, or "
                  "raise --max-skipped",
                  in_a_row, step_, lr_),
      static_cast<std::uint64_t>(step_));
}

void Trainer::report() {
  const double mean_loss = all_workers_.mean(loss_);
  const auto interval = statistics_.take_interval(costs());
  if (me_.rank() != 0 || !run_.listener.on_step) return;
  run_.listener.on_step({.step = step_,
                         .total_steps = plan_.total(),
                         .steps_per_epoch = plan_.per_epoch(),
                         .loss = mean_loss,
                         .lr = lr_,
                         .samples_per_second = interval.samples_per_second,
                         .message_bytes = message_bytes_,
                         .bytes_sent = me_.counters().bytes_sent,
                         .times = interval.costs.times,
                         .virtual_seconds = virtual_seconds(),
                         .virtual_times = interval.costs.virtual_times,
                         .hidden_seconds = interval.costs.hidden_seconds,
                         .skipped_steps = statistics_.skipped(),
                         .seconds = interval.seconds});
}

void Trainer::drop(const DroppedWorker& dropped) {
  run_.result.dropped.push_back(dropped);
  if (!run_.listener.on_drop) return;
  run_.listener.on_drop(
      dropped, loses_labels()
                   ? fmt::format("its training data are lost (--partition {}); its share of the "
                                 "evaluation is redistributed",
                                 config_.partition)
                   : "its share of the evaluation is redistributed now, its training data at the "
                     "next epoch");
}

// Every worker measures its own share, so that no worker waits for another one longer than the
// deadline.
void Trainer::measure_density() {
  auto report = density_->measure(parameters_, buffers_);
  if (me_.rank() != 0) return;
  report.step = step_;
  report.epoch = plan_.epochs(step_);
  if (run_.listener.on_density) run_.listener.on_density(report);
  run_.result.densities.push_back(std::move(report));
}

// The tensors in which the replicas differ. The running statistics do, because each worker sees
// other samples.
std::vector<std::span<float>> Trainer::differing_tensors() {
  std::vector<std::span<float>> tensors;
  if (local_) tensors.push_back(parameters_.values());
  for (auto& [name, buffer] : buffers_) tensors.push_back(buffer.data_mut());
  return tensors;
}

// Every worker evaluates the mean model on its share of the split. The training goes on as if
// there had been no evaluation.
void Trainer::evaluate() {
  const auto virtual_time = virtual_seconds();
  me_.without_time([&] {
    const AveragedModel averaged(all_workers_, me_.size(), differing_tensors());
    auto e = evaluator_.evaluate(*task_);
    e.step = step_;
    e.epoch = plan_.epochs(step_);
    e.train_loss = all_workers_.mean(statistics_.take_loss());
    e.bytes_sent_per_worker = static_cast<std::uint64_t>(
        all_workers_.mean(static_cast<double>(me_.counters().bytes_sent)));
    e.virtual_seconds = virtual_time;
    if (me_.rank() != 0) return;
    run_.result.evaluations.push_back(e);
    if (step_ == plan_.total()) add_final_model(parameters_, run_.result);
    if (run_.listener.on_evaluation) run_.listener.on_evaluation(e);
    show_weights(parameters_, step_, run_.listener);
  });
}

// Warns of settings with which the method may not converge on this model.
void Trainer::print_warnings() {
  const auto shape = grad_views(parameters_, parameters_.gradients());
  for (const auto& remark : make_run_compressor(config_)->remarks(0, shape)) {
    if (remark.warning) note("warning: {}\n", remark.text);
  }
}

// Exchanges zero gradients once without compression over the same topology, and counts the bytes.
// The result of the run compares the bytes of the compressor with them.
void Trainer::measure_uncompressed() {
  const auto plain = make_compressor("none");
  const auto topology = run_.plain_plan.join(me_);
  std::vector<float> gradients(static_cast<std::size_t>(parameters_.numel()));
  const auto views = grad_views(parameters_, gradients);
  topology->run(*plain, {.seed = 0}, views, views, [](const GradientSource&) {});
  uncompressed_ = me_.counters().bytes_sent;
  me_.barrier();  // all workers begin at one virtual time
  me_.reset_accounts();
  if (me_.virtual_clock()) virtual_start_ = me_.virtual_clock()->now();
}

Measurements Trainer::measurements() {
  const auto later_steps = static_cast<double>(std::max<std::int64_t>(1, step_ - 1));
  auto per_step = statistics_.without_first_step(costs());
  for (auto& seconds : per_step.times.seconds) seconds /= later_steps;
  for (auto& seconds : per_step.virtual_times.seconds) seconds /= later_steps;
  // Most steps of local SGD send nothing, but `none` would exchange gradients in each of them.
  const auto sent = local_ ? static_cast<std::uint64_t>(step_) : optimizer_.counts().steps;
  return {.bytes_sent = me_.counters().bytes_sent,
          .payload_sent = me_.counters().payload_bytes_sent,
          .bytes_uncompressed = uncompressed_ * sent,
          .state_hash = local_ ? local_->state_hash() : optimizer_.state_hash(),
          .skipped_steps = static_cast<std::uint64_t>(statistics_.skipped()),
          .step_times = per_step.times,
          .virtual_step_times = per_step.virtual_times,
          .hidden_seconds = per_step.hidden_seconds / later_steps,
          .virtual_seconds = virtual_seconds().value_or(Measurements::kNoTime)};
}

void Trainer::finish() {
  const auto own = measurements();
  const double train_loss = all_workers_.mean(statistics_.last_epoch_loss());
  const auto words = all_workers_.gather(std::bit_cast<MeasurementWords>(own));
  if (me_.rank() != 0) return;

  RunResult& r = run_.result;
  add_up(words, r);
  r.samples = statistics_.all_samples();
  if (r.virtual_seconds) {
    r.samples_per_virtual_second = static_cast<double>(r.samples) / *r.virtual_seconds;
  }
  r.train_loss = train_loss;
  r.steps = step_;
  r.steps_per_epoch = plan_.per_epoch();
  r.message_bytes = message_bytes_;
  r.buckets = static_cast<std::int64_t>(optimizer_.buckets());
  r.samples_per_second = statistics_.samples_per_second();
}

namespace {

// Between threads no bytes are lost. Checksums are therefore written and verified only if the run
// has an attack on packets.
WorkerOptions worker_options(const RunConfig& config) {
  WorkerOptions options{
      .workers = static_cast<int>(config.workers),
      .deadline = deadline(config),
      .executor = config.topology == RunTopology::local ? Executor::turns : Executor::concurrent,
      .verify = parse_attack(config.attack).on_wire() ? Verify::checksum : Verify::header,
      .on_failure = config.on_failure.value()};
  if (config.network) {
    options.virtual_time = {
        .network = parse_network(*config.network),
        .local_work = config.compute ? LocalWork::declared : LocalWork::measured,
        .seed = config.seed};
  }
  return options;
}

// The model is that of any worker.
std::unique_ptr<Recorder> make_recorder(const RunConfig& config, const Dataset& data,
                                        const Worker* me, const Checkpoint* resume) {
  if (!config.record) return nullptr;
  const auto task = make_task(config, data, 0, static_cast<int>(config.workers), 0);
  const StepPlan plan(config, task->steps_per_epoch());
  return std::make_unique<Recorder>(
      config, ParameterBuffer(nn::parameters(task->model())),
      Recorder::Options{.taken = resume == nullptr ? 0 : resume->step(),
                        .total = plan.total(),
                        .processes = me != nullptr,
                        .first = me == nullptr || me->rank() == 0});
}

RunResult train_synchronously(const RunConfig& config, const Dataset& data,
                              const Listener& listener, Worker* me, const Checkpoint* resume) {
  const auto compressor = make_run_compressor(config), plain = make_compressor("none");
  Run run{.config = config,
          .data = data,
          .listener = listener,
          .plan = TopologyPlan(topology_options(config), *compressor),
          .plain_plan = TopologyPlan(topology_options(config), *plain),
          .local_plan = TopologyPlan(topology_options(config), *compressor),
          .resume = resume,
          .collector = StateCollector(me != nullptr, listener.on_checkpoint),
          .recorder = make_recorder(config, data, me, resume)};
  if (me != nullptr) {
    Trainer(run, *me).train();
  } else {
    run_workers(worker_options(config), [&](Worker& worker) { Trainer(run, worker).train(); });
  }
  if (run.ended) throw_interrupted();
  if (run.recorder) run.recorder->finish();
  return std::move(run.result);
}

}  // namespace

void show_weights(const ParameterBuffer& parameters, std::int64_t step, const Listener& listener) {
  if (!listener.on_weights) return;
  for (const auto& info : parameters.infos()) {
    listener.on_weights(step, info.name,
                        parameters.values().subspan(static_cast<std::size_t>(info.offset),
                                                    static_cast<std::size_t>(info.numel)));
  }
}

RunResult train(const RunConfig& config, const Dataset& data, const Listener& listener, Worker* me,
                const Checkpoint* resume) {
  const auto start = std::chrono::steady_clock::now();
  set_thread_count(static_cast<int>(config.threads));
  kernels::set_exact_convolution(config.exact_convolution);
  auto result = config.is_async() ? train_async(config, data, listener, me, resume)
                                  : train_synchronously(config, data, listener, me, resume);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace terse::run
