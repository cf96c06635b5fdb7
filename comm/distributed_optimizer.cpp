#include "comm/distributed_optimizer.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"

namespace terse {

std::vector<GradView> grad_views(const ParameterBuffer& parameters, std::span<float> flat) {
  std::vector<GradView> views;
  for (const auto& info : parameters.infos()) {
    views.push_back({.id = info.id,
                     .rows = info.rows,
                     .cols = info.cols,
                     .kernel = info.kernel,
                     .data = flat.subspan(static_cast<std::size_t>(info.offset),
                                          static_cast<std::size_t>(info.numel))});
  }
  return views;
}

RuleSetup rule_setup(const ParameterBuffer& parameters, std::uint64_t seed) {
  RuleSetup setup;
  setup.seed = seed;
  for (const auto& info : parameters.infos()) setup.tensors.push_back(info.numel);
  return setup;
}

DistributedOptimizer::DistributedOptimizer(Worker& me, ParameterBuffer& parameters,
                                           UpdateRule& rule, std::unique_ptr<Compressor> compressor,
                                           std::unique_ptr<Topology> topology,
                                           const Options& options)
    : me_(me),
      parameters_(parameters),
      rule_(rule),
      gradients_(grad_views(parameters, parameters.gradients())),
      compressor_(std::move(compressor)),
      topology_(std::move(topology)),
      options_(options),
      attack_(options.attack, options.seed, me.rank(), me.size()),
      collectives_(me),
      words_(static_cast<std::size_t>(me.size())),
      mean_(parameters.numel()),
      mean_views_(grad_views(parameters, mean_.span())) {
  std::ranges::fill(mean_.span(), 0.0F);
  rule_.prepare(rule_setup(parameters, options.seed));
}

bool DistributedOptimizer::step(float lr) {
  parameters_.gradients();  // zero where no backward call has reached
  attack_.apply(counts_.steps, gradients_);
  if (!agree_on_finite()) return false;
  const Round round{.seed = options_.seed, .step = counts_.steps, .lr = lr};
  topology_->run(*compressor_, round, gradients_, mean_views_);
  const auto timed = me_.time(Phase::update);
  rule_.apply(parameters_.values(), mean_.span(), lr);
  ++counts_.steps;
  return true;
}

void DistributedOptimizer::zero_grad() {
  parameters_.zero_grad();
}

bool DistributedOptimizer::agree_on_finite() {
  const auto own = find_non_finite(gradients_);
  {
    const auto timed = me_.time(Phase::exchange);
    collectives_.agree(own.word(), counts_.steps, words_);
  }
  std::uint64_t bad = 0;
  int first = -1;
  for (int worker = 0; worker < me_.size(); ++worker) {
    const auto theirs = Finding::of(words_[static_cast<std::size_t>(worker)]);
    if (theirs.count > 0 && first < 0) first = worker;
    bad += theirs.count;
  }
  if (bad == 0) return true;
  switch (options_.non_finite) {
    case NonFinite::abort: {
      const auto theirs = Finding::of(words_[static_cast<std::size_t>(first)]);
      throw Error(fmt::format(
          "gradient: all values must be finite; got {} infinite or NaN values on worker {} at step "
          "{}, the first in {}; a smaller learning rate may help, or the policy skip_step or zero",
          theirs.count, first, counts_.steps, parameters_.infos()[theirs.tensor].name));
    }
    case NonFinite::skip_step:
      ++counts_.skipped_steps;
      return false;
    case NonFinite::zero:
      break;
  }
  if (own.count > 0) zero_non_finite(gradients_);
  counts_.zeroed_values += bad;
  return true;
}

void DistributedOptimizer::serialize(Archive& archive) {
  archive.item("steps", counts_.steps);
  archive.item("skipped_steps", counts_.skipped_steps);
  archive.item("zeroed_values", counts_.zeroed_values);
  attack_.serialize(archive);
  compressor_->serialize(archive);
  rule_.serialize(archive);
  archive.item("parameters", parameters_.values());
}

std::uint64_t DistributedOptimizer::state_hash() {
  HashArchive archive;
  serialize(archive);
  return archive.hash();
}

}  // namespace terse
