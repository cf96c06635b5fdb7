#include "examples/run/health_probe.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "tersegrad/optim/kernels/vector.hpp"

namespace terse::run {

HealthProbe::HealthProbe(const ProbePlan& plan, Worker& me, AllWorkers& all_workers,
                         std::span<const ParameterInfo> tensors, std::uint64_t seed,
                         std::function<void(const HealthReport&)> report)
    : plan_(plan),
      me_(me),
      all_workers_(all_workers),
      tensors_(tensors),
      seed_(seed),
      report_(std::move(report)),
      gradient_(tensors),
      encoded_(tensors),
      reconstruction_(tensors),
      decoded_(tensors),
      residual_(tensors) {}

std::unique_ptr<Compressor> HealthProbe::around_stage(std::unique_ptr<Compressor> stage,
                                                      bool decorator) {
  if (auto* conserving = dynamic_cast<ConservingStage*>(stage.get())) conserving_ = conserving;
  return decorator ? std::move(stage) : observed(std::move(stage), stage_observer_);
}

std::unique_ptr<Compressor> HealthProbe::around_chain(std::unique_ptr<Compressor> chain) {
  return observed(std::move(chain), chain_observer_);
}

void HealthProbe::begin_step(std::int64_t step) {
  watches_ = plan_.is_due(step + 1);
  if (!watches_) return;
  for (auto* copy : {&gradient_, &encoded_, &reconstruction_, &decoded_}) copy->clear();
  votes_ = false;
  declared_.reset();
}

void HealthProbe::ChainObserver::input(const Round&, std::span<const GradView> grads, float,
                                       std::span<const GradView>) {
  const auto paused = probe.me_.pause_time();
  probe.gradient_.copy(grads);
}

void HealthProbe::ChainObserver::mean(const Round&, std::span<const GradView> shape,
                                      const GradientSource& mean) {
  const auto paused = probe.me_.pause_time();
  materialize(mean, probe.decoded_.like(shape));
}

void HealthProbe::StageObserver::input(const Round&, std::span<const GradView> grads, float keep,
                                       std::span<const GradView> residual) {
  const auto paused = probe.me_.pause_time();
  if (residual.empty()) return probe.encoded_.copy(grads);
  probe.encoded_.copy(residual);
  const auto x = probe.encoded_.like(grads);
  for (std::size_t t = 0; t < x.size(); ++t) {
    kernels::blend_to(grads[t].data, keep, 1, x[t].data);
  }
}

void HealthProbe::StageObserver::packet(const Round& round, std::span<const GradView> shape,
                                        const Compressor& stage, const Packet& up) {
  const auto traits = stage.traits(round.step);
  if (round.phase + 1 < traits.phases) return;
  const auto paused = probe.me_.pause_time();
  stage.reconstruct(round, up, probe.reconstruction_.like(shape));
  probe.votes_ = traits.scale_free;
  const auto declared = stage.contraction(round.step, shape);
  if (declared) probe.declared_ = std::min(*declared, probe.declared_.value_or(1));
}

void HealthProbe::end_step(std::int64_t step) {
  // A step that was skipped, or in which local SGD exchanged nothing, has no gradient.
  if (!watches_ || gradient_.values().empty()) return;
  watches_ = false;
  const auto start = std::chrono::steady_clock::now();
  me_.without_time([&] {
    exchange();
    if (me_.rank() == 0) {
      auto report = measure();
      report.step = step + 1;
      report.seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      report_(report);
    }
    me_.barrier();  // the others' next step would count the wait
  });
}

// The sums over the workers, on worker 0.
void HealthProbe::exchange() {
  all_workers_.sum_at_first(gradient_.values(), true_mean_);
  for (auto& value : true_mean_) value /= me_.size();
  if (!votes_) return;
  std::vector<float> votes;
  for (const float vote : reconstruction_.values()) {
    votes.push_back(vote > 0 ? 1.0F : vote < 0 ? -1.0F : 0.0F);
  }
  all_workers_.sum_at_first(votes, vote_sums_);
}

HealthReport HealthProbe::measure() {
  const bool encoded = !reconstruction_.values().empty();  // not in a warm-up without compression
  if (conserving_ != nullptr) conserving_->copy_kept(residual_.all());
  HealthReport report{
      .declared_contraction = declared_,
      .tensors = measure_health(tensors_,
                                {.gradient = gradient_.values(),
                                 .encoded = encoded ? encoded_.values() : gradient_.values(),
                                 .reconstruction = reconstruction_.values(),
                                 .residual = residual_.values(),
                                 .decoded = decoded_.values(),
                                 .true_mean = true_mean_},
                                seed_)};
  if (votes_) {
    // Signs without a magnitude are no approximation of x.
    for (auto& tensor : report.tensors) tensor.contraction.reset();
    report.margins = vote_margins(vote_sums_, me_.size());
  }
  return report;
}

}  // namespace terse::run
