#include "comm/distributed_optimizer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/spec.hpp"

namespace terse {
namespace {

constexpr std::array<std::pair<std::string_view, NonFinite>, 3> kPolicies = {
    {{"abort", NonFinite::abort}, {"skip_step", NonFinite::skip_step}, {"zero", NonFinite::zero}}};

// An exponent of all ones: infinite or NaN. In integers, for it must hold under any -ffast-math.
bool is_finite(float value) {
  constexpr std::uint32_t kExponent = 0x7f800000;
  return (std::bit_cast<std::uint32_t>(value) & kExponent) != kExponent;
}

std::int64_t count_non_finite(std::span<const float> values) {
  constexpr std::int64_t kGrain = 1 << 16;
  return static_cast<std::int64_t>(parallel_sum(
      static_cast<std::int64_t>(values.size()), kGrain, [&](std::int64_t begin, std::int64_t end) {
        std::uint32_t bad = 0;
        for (std::int64_t i = begin; i < end; ++i) {
          bad += is_finite(values[static_cast<std::size_t>(i)]) ? 0U : 1U;
        }
        return static_cast<double>(bad);
      }));
}

// What a worker says of its gradient, in the 8 bytes of `agree`: zero if all is well.
struct Finding {
  std::uint32_t count = 0;   // of non-finite values; more than fit are as many as fit
  std::uint32_t tensor = 0;  // id of the first tensor that has one

  std::uint64_t word() const { return std::uint64_t{tensor} << 32 | count; }
  static Finding of(std::uint64_t word) {
    return {.count = static_cast<std::uint32_t>(word),
            .tensor = static_cast<std::uint32_t>(word >> 32)};
  }
};

Finding examine(std::span<const GradView> gradients) {
  std::int64_t bad = 0;
  std::uint32_t tensor = 0;
  for (const auto& view : gradients) {
    const auto here = count_non_finite(view.data);
    if (bad == 0 && here > 0) tensor = view.id;
    bad += here;
  }
  constexpr std::int64_t kMost = std::numeric_limits<std::uint32_t>::max();
  return {.count = static_cast<std::uint32_t>(std::min(bad, kMost)), .tensor = tensor};
}

}  // namespace

std::string_view to_string(NonFinite policy) {
  for (const auto& [name, value] : kPolicies) {
    if (value == policy) return name;
  }
  return "unknown";
}

NonFinite parse_non_finite(std::string_view name) {
  std::vector<std::string> known;
  for (const auto& [each, value] : kPolicies) {
    if (each == name) return value;
    known.emplace_back(each);
  }
  throw UsageError(unknown_name("non-finite policy", name, std::move(known)));
}

std::vector<GradView> grad_views(const ParameterBuffer& parameters, std::span<float> flat) {
  std::vector<GradView> views;
  for (const auto& info : parameters.infos()) {
    views.push_back({.id = info.id,
                     .rows = info.rows,
                     .cols = info.cols,
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
}

bool DistributedOptimizer::step(float lr) {
  parameters_.gradients();  // zero where no backward call has reached
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
  const auto own = examine(gradients_);
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
  if (own.count > 0) zero_non_finite();
  counts_.zeroed_values += bad;
  return true;
}

void DistributedOptimizer::zero_non_finite() {
  for (auto& view : gradients_) {
    for (auto& value : view.data) value = is_finite(value) ? value : 0.0F;
  }
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
