#include "comm/distributed_optimizer.hpp"

#include <algorithm>
#include <utility>

#include "core/autograd.hpp"
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
      collectives_(me),
      words_(static_cast<std::size_t>(me.size())),
      mean_(parameters.numel()),
      mean_views_(grad_views(parameters, mean_.span())) {
  std::ranges::fill(mean_.span(), 0.0F);
  rule_.prepare(rule_setup(parameters, options.seed));
  if (options.bucket_bytes <= 0) return;
  check_buckets(*compressor_, options.non_finite);
  overlap_.emplace(
      me_, gradients_,
      Overlap::Options{.bucket_bytes = options.bucket_bytes, .compute = options.compute},
      [this](const Bucket& bucket) { exchange(bucket); });
}

void DistributedOptimizer::backward(const Tensor& objective, float lr) {
  if (!overlap_) {
    objective.backward();
    if (auto* clock = me_.virtual_clock()) clock->spend(options_.compute);
    return;
  }
  check(!lr_,
        "backward: the buckets of this step are under way; add several backward calls up before "
        "the one of the optimizer");
  begin(lr);
  terse::backward(objective, [this](const Tensor& leaf) {
    if (const auto id = parameters_.id_of(leaf)) overlap_->complete(*id);
  });
}

void DistributedOptimizer::begin(float lr) {
  lr_ = lr;
  message_bytes_ = 0;
}

bool DistributedOptimizer::step(float lr) {
  parameters_.gradients();  // zero where no backward call has reached
  if (!lr_) begin(lr);
  check(*lr_ == lr, "step: the rate must be that of backward, {}; got {}", *lr_, lr);
  bool taken = true;
  if (overlap_) {
    overlap_->finish();
  } else {
    taken = exchange({.tensors = gradients_.size()});
  }
  lr_.reset();
  if (!taken) return false;
  const auto timed = me_.time(Phase::update);
  rule_.apply(parameters_.values(), mean_.span(), lr);
  ++counts_.steps;
  return true;
}

bool DistributedOptimizer::exchange(const Bucket& bucket) {
  const auto gradients = bucket.of(gradients_);
  if (!agree_on_finite(gradients)) return false;
  const Round round{.seed = options_.seed, .step = counts_.steps, .lr = *lr_};
  topology_->run(*compressor_, bucket.of(round), gradients, bucket.of(mean_views_));
  message_bytes_ += topology_->message_bytes();
  return true;
}

void DistributedOptimizer::zero_grad() {
  parameters_.zero_grad();
}

bool DistributedOptimizer::agree_on_finite(std::span<const GradView> gradients) {
  const auto own = find_non_finite(gradients);
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
          "{}, the first in {}; a smaller learning rate may help, or the policy {}",
          theirs.count, first, counts_.steps, parameters_.infos()[theirs.tensor].name,
          overlap_ ? "zero" : "skip_step or zero"));
    }
    case NonFinite::skip_step:
      ++counts_.skipped_steps;
      return false;
    case NonFinite::zero:
      break;
  }
  if (own.count > 0) zero_non_finite(gradients);
  counts_.zeroed_values += bad;
  return true;
}

void DistributedOptimizer::serialize(Archive& archive) {
  archive.item("steps", counts_.steps);
  archive.item("skipped_steps", counts_.skipped_steps);
  archive.item("zeroed_values", counts_.zeroed_values);
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
