#include "examples/run/law_probe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse::run {

LawProbe::Stage::Stage(LawProbe& of, ConservingStage& stage, std::string name)
    : probe(of),
      law(stage),
      spec(std::move(name)),
      input_copy(of.tensors_),
      total(of.tensors_),
      sent(of.tensors_),
      mean_copy(of.tensors_),
      server_before(of.tensors_),
      kept(of.tensors_) {}

void LawProbe::Stage::clear() {
  for (auto* copy : {&total, &sent, &mean_copy}) copy->clear();
}

void LawProbe::Stage::input(const Round& round, std::span<const GradView> grads, float keep,
                            std::span<const GradView> residual) {
  const auto paused = probe.me_.pause_time();
  const auto x = input_copy.like(grads);
  for (std::size_t t = 0; t < x.size(); ++t) {
    std::ranges::fill(x[t].data, 0.0F);
    if (!residual.empty()) std::ranges::copy(residual[t].data, x[t].data.begin());
    kernels::blend_to(grads[t].data, keep, 1, x[t].data);
  }
  law.add_up(round, x, total.like(grads));
  if (!law.has_server()) return;
  for (const auto& view : server_before.like(grads)) law.copy_kept_by_server(view);
}

void LawProbe::Stage::packet(const Round& round, std::span<const GradView> shape,
                             const Compressor& stage, const Packet& up) {
  if (round.phase + 1 < stage.traits(round.step).phases) return;
  const auto paused = probe.me_.pause_time();
  stage.reconstruct(round, up, sent.like(shape));
}

void LawProbe::Stage::mean(const Round&, std::span<const GradView> shape,
                           const GradientSource& mean) {
  const auto paused = probe.me_.pause_time();
  materialize(mean, mean_copy.like(shape));
}

std::unique_ptr<Compressor> LawProbe::around_stage(std::unique_ptr<Compressor> stage, bool) {
  auto* law = dynamic_cast<ConservingStage*>(stage.get());
  if (law == nullptr) return stage;
  stages_.push_back(std::make_unique<Stage>(*this, *law, stage->spec()));
  return observed(std::move(stage), *stages_.back());
}

void LawProbe::begin_step(std::int64_t step) {
  watches_ = plan_.is_due(step + 1);
  for (auto& stage : stages_) stage->clear();
}

void LawProbe::end_step(std::int64_t step) {
  if (!std::exchange(watches_, false)) return;
  bool checked = false;
  me_.without_time([&] {
    for (auto& stage : stages_) {
      // Not in a skipped step, in a warm-up without compression, or between two exchanges.
      if (stage->total.values().empty()) continue;
      check_worker(*stage, step);
      if (stage->law.has_server()) check_server(*stage, step);
      checked = true;
    }
    me_.barrier();
  });
  if (checked && me_.rank() == 0 && held_) held_();
}

void LawProbe::check_worker(Stage& stage, std::int64_t step) {
  stage.law.copy_kept(stage.kept.all());
  const auto sent = stage.law.subtracts_mean() ? stage.mean_copy.values() : stage.sent.values();
  for (const auto& tensor : tensors_) {
    const auto doubles = [&tensor](std::span<const float> all) {
      const auto own = all.subspan(static_cast<std::size_t>(tensor.offset),
                                   static_cast<std::size_t>(tensor.numel));
      return std::vector<double>(own.begin(), own.end());
    };
    check_sum(stage, step, tensor, doubles(sent), doubles(stage.kept.values()),
              doubles(stage.total.values()), "sent + kept = kept before + gradient");
  }
}

void LawProbe::check_server(Stage& stage, std::int64_t step) {
  std::vector<double> sent(stage.sent.values().begin(), stage.sent.values().end());
  all_workers_.sum(sent);
  for (const auto& view : stage.kept.all()) {
    if (!stage.law.copy_kept_by_server(view)) continue;
    const auto& tensor = tensors_[view.id];
    const auto first = static_cast<std::size_t>(tensor.offset);
    std::vector<double> total, kept, mean;
    for (std::size_t i = 0; i < view.data.size(); ++i) {
      total.push_back(sent[first + i] / me_.size() +
                      double{stage.server_before.values()[first + i]});
      kept.push_back(view.data[i]);
      mean.push_back(stage.mean_copy.values()[first + i]);
    }
    check_sum(stage, step, tensor, mean, kept, total,
              "mean + kept by the server = kept before + mean of what was sent");
  }
}

void LawProbe::check_sum(const Stage& stage, std::int64_t step, const ParameterInfo& tensor,
                         std::span<const double> sent, std::span<const double> kept,
                         std::span<const double> total, std::string_view law) const {
  constexpr double kTolerance = 2e-6;
  double largest = 0, difference = 0;
  for (std::size_t i = 0; i < total.size(); ++i) {
    largest = std::max({largest, std::abs(sent[i]), std::abs(kept[i]), std::abs(total[i])});
    const double found = std::abs(sent[i] + kept[i] - total[i]);
    difference = std::isnan(found) ? HUGE_VAL : std::max(difference, found);
  }
  check(difference <= kTolerance * largest,
        "conservation law of {}: {}: worker {}, step {}, tensor {}: the sides differ by {:.3g}; "
        "expected at most {} of the largest value, {:.3g}",
        stage.spec, law, me_.rank(), step + 1, tensor.name, difference, kTolerance, largest);
}

}  // namespace terse::run
