#include "tersegrad/comm/training/local_sgd.hpp"

#include <algorithm>
#include <utility>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/simd/vectorized.hpp"

namespace terse {

LocalSgd::LocalSgd(Worker& me, ParameterBuffer& parameters, UpdateRule& inner,
                   std::unique_ptr<UpdateRule> outer, std::unique_ptr<Compressor> compressor,
                   std::unique_ptr<Topology> topology, const Options& options)
    : me_(me),
      parameters_(parameters),
      inner_(inner),
      outer_(std::move(outer)),
      compressor_(std::move(compressor)),
      topology_(std::move(topology)),
      options_(options),
      met_(parameters.numel()),
      moved_(parameters.numel()),
      gradients_(grad_views(parameters, parameters.gradients())),
      moved_views_(grad_views(parameters, moved_.span())),
      collectives_(me) {
  check<UsageError>(options.every >= 1,
                    "local steps: expected at least 1 from averaging to averaging; got {}",
                    options.every);
  check<UsageError>(options.non_finite != NonFinite::drop_worker,
                    "local steps: expected the non-finite policy abort, skip_step or zero; got "
                    "drop_worker, which workers cannot agree on between averagings");
  check<UsageError>(!compressor_->traits(0).scale_free,
                    "local steps with {}: its mean is a direction without a magnitude; take none "
                    "or a compressor with magnitudes",
                    compressor_->spec());
  inner_.prepare(rule_setup(parameters, options.seed));
  outer_->prepare(rule_setup(parameters, options.seed));
  compressor_->attach(*outer_);
  std::ranges::copy(parameters.values(), met_.span().begin());
}

bool LocalSgd::step(float lr) {
  const auto gradient = parameters_.gradients();  // zeros where no backward call has reached
  const bool usable = gradient_is_usable();
  if (usable) {
    const auto timed = me_.time(Part::update);
    inner_.apply(parameters_.values(), gradient, lr);
  }
  ++steps_;
  if (++since_ == options_.every) average_models();
  return usable;
}

void LocalSgd::average_models() {
  if (since_ == 0) return;
  since_ = 0;
  agree_on_end();
  const auto x = parameters_.values();
  const auto met = met_.span();
  {
    const auto timed = me_.time(Part::encode);
    constexpr std::int64_t kGrain = 1 << 16;
    vectorized_for(std::ssize(x), kGrain,
                   [from = met.data(), to = x.data(), moved = moved_.data()](std::int64_t begin,
                                                                             std::int64_t end) {
                     for (auto i = begin; i < end; ++i) moved[i] = from[i] - to[i];
                   });
  }
  const Round round{.seed = options_.seed, .step = averagings_, .lr = options_.outer_lr};
  topology_->run(*compressor_, round, moved_views_, moved_views_, [&](const GradientSource& mean) {
    const auto timed = me_.time(Part::update);
    outer_->update(met, {.source = &mean, .count = std::ssize(met)}, options_.outer_lr);
  });
  const auto timed = me_.time(Part::update);
  std::ranges::copy(met, x.begin());
  ++averagings_;
}

// A control message to every other worker.
void LocalSgd::agree_on_end() {
  const auto timed = me_.time(Part::exchange);
  std::vector<std::uint64_t> requests(static_cast<std::size_t>(me_.size()));
  collectives_.agree(requests_end_ ? 1 : 0, averagings_, requests);
  end_requested_ |= std::ranges::find(requests, std::uint64_t{1}) != requests.end();
}

// Applies the policy to this worker's gradient alone: an agreement would cost messages every step.
bool LocalSgd::gradient_is_usable() {
  const auto found = find_non_finite(gradients_);
  if (found.count == 0) return true;
  if (options_.non_finite == NonFinite::zero) zero_non_finite(gradients_);
  if (options_.non_finite == NonFinite::abort) {
    throw NonFiniteGradient(
        fmt::format("gradient: all values must be finite; got {} infinite or NaN values on worker "
                    "{} at local step {}, the first in {}; a smaller learning rate may help, or "
                    "the policy skip_step or zero",
                    found.count, me_.rank(), steps_, parameters_.infos()[found.tensor].name),
        steps_);
  }
  return options_.non_finite == NonFinite::zero;
}

void LocalSgd::serialize(Archive& archive) {
  archive.set_tensor_names(parameters_.names());
  archive.item("local.steps", steps_);
  archive.item("local.since", since_);
  archive.item("local.meetings", averagings_);
  archive.item("local.met", met_.span());
  compressor_->serialize(archive);
  outer_->serialize(archive);
  inner_.serialize(archive);
  parameters_.serialize(archive);
}

std::uint64_t LocalSgd::state_hash() {
  HashArchive archive;
  serialize(archive);
  return archive.hash();
}

}  // namespace terse
