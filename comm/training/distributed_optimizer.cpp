#include "tersegrad/comm/training/distributed_optimizer.hpp"

#include <algorithm>
#include <numeric>
#include <thread>
#include <utility>

#include "tersegrad/comm/transport/subgroup_endpoint.hpp"
#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

// In the word by which the workers agree: this worker requests the end. It is above every id of a
// tensor.
constexpr std::uint64_t kEnd = std::uint64_t{1} << 63;

// A gradient whose reads are timed as Part::decode. Only reads by this worker's thread are timed:
// it takes part in the update from beginning to end, so its reads represent those of all threads.
class TimedGradient final : public GradientSource {
 public:
  TimedGradient(Worker& me, const GradientSource& source) : me_(me), source_(source) {}
  std::span<const float> read(std::int64_t first, std::span<float> scratch) const override {
    if (std::this_thread::get_id() != thread_) return source_.read(first, scratch);
    const auto timed = me_.time(Part::decode);
    return source_.read(first, scratch);
  }

 private:
  Worker& me_;
  const GradientSource& source_;
  std::thread::id thread_ = std::this_thread::get_id();
};

}  // namespace

DistributedOptimizer::DistributedOptimizer(Worker& me, ParameterBuffer& parameters,
                                           UpdateRule& rule, std::unique_ptr<Compressor> compressor,
                                           std::unique_ptr<Topology> topology,
                                           const Options& options)
    : me_(me),
      parameters_(parameters),
      rule_(rule),
      mean_(parameters.gradients()),
      gradients_(grad_views(parameters, parameters.gradients())),
      compressor_(std::move(compressor)),
      topology_(std::move(topology)),
      options_(options),
      attack_(options.attack, options.seed, me.rank(), me.size()),
      collectives_(me),
      packed_counts_(static_cast<std::size_t>(me.size())),
      original_ranks_(static_cast<std::size_t>(me.size())) {
  check<UsageError>(
      options.non_finite != NonFinite::drop_worker || options.make_smaller_topology,
      "non-finite policy drop_worker: expected the option `make_smaller_topology`, which makes the "
      "topology of the remaining workers");
  std::iota(original_ranks_.begin(), original_ranks_.end(), 0);
  rule_.prepare(rule_setup(parameters, options.seed));
  compressor_->attach(rule_);
  if (options.bucket_bytes <= 0) return;
  check_buckets(*compressor_, options.non_finite);
  check<UsageError>(
      !options.make_smaller_topology,
      "buckets with workers that may leave: when a worker leaves, some averaged buckets of the "
      "step already include its gradient; leave one of the two options out");
  check<UsageError>(options.attack.kind == Attack::Kind::none || options.attack.on_wire(),
                    "buckets with the attack {}: the attack changes the whole gradient, but the "
                    "first buckets are sent before the last one is known",
                    to_string(options.attack));
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
        "backward: the buckets of this step are already being exchanged; to accumulate gradients, "
        "call Tensor::backward first and the optimizer's backward last");
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
  parameters_.gradients();  // gives zeros to parameters that no backward call has reached
  if (!lr_) begin(lr);
  check(*lr_ == lr, "step: expected the learning rate of backward, {}; got {}", *lr_, lr);
  // Skipped steps count for the attack. Otherwise an attack with at=n and policy skip_step would
  // repeat step n for ever.
  attack_.apply(counts_.steps + counts_.skipped_steps, gradients_);
  bool taken = true;
  if (overlap_) {
    overlap_->finish();
  } else {
    taken = exchange({.tensors = gradients_.size()});
  }
  lr_.reset();
  if (!taken) return false;
  if (overlap_) {
    const auto timed = me_.time(Part::update);
    rule_.apply(parameters_.values(), mean_, lr);
  }
  ++counts_.steps;
  return true;
}

bool DistributedOptimizer::exchange(const Bucket& bucket) {
  const auto gradients = bucket.of(gradients_);
  if (!agree_on_finite(gradients)) return false;
  const Round round{.seed = options_.seed, .step = counts_.steps, .lr = *lr_};
  // The second `gradients` are scratch memory, for compressors that cannot decode block by block.
  topology_->run(
      *compressor_, bucket.of(round), gradients, gradients, [&](const GradientSource& mean) {
        if (overlap_) {  // the update follows the last bucket
          const auto timed = me_.time(Part::decode);
          return materialize(mean, gradients);
        }
        const auto timed = me_.time(Part::update);
        const TimedGradient source(me_, mean);
        rule_.update(parameters_.values(), {.source = &source, .count = parameters_.numel()}, *lr_);
      });
  message_bytes_ += topology_->message_bytes();
  return true;
}

void DistributedOptimizer::zero_grad() {
  parameters_.zero_grad();
}

void DistributedOptimizer::agree_on_step(std::uint64_t packed) {
  const auto timed = me_.time(Part::exchange);
  std::vector<DroppedWorker> gone;
  if (requests_end_) packed |= kEnd;
  collectives_.agree(std::span(&packed, 1), counts_.steps, packed_counts_,
                     [&](int worker, const WorkerLost& loss) {
                       // `agree` calls this in its catch block, so `throw` throws `loss` again.
                       if (!options_.make_smaller_topology) throw;
                       gone.push_back({worker, counts_.steps, loss.cause()});
                     });
  for (auto& word : packed_counts_) {
    end_requested_ |= (word & kEnd) != 0;
    word &= ~kEnd;
  }
  if (!gone.empty()) continue_without(gone);
}

bool DistributedOptimizer::agree_on_finite(std::span<const GradView> gradients) {
  const auto own = find_non_finite(gradients);
  agree_on_step(own.packed());
  std::uint64_t bad = 0;
  int first = -1, bad_workers = 0;
  for (int worker = 0; worker < me_.size(); ++worker) {
    const auto theirs = NonFiniteCount::of(packed_counts_[static_cast<std::size_t>(worker)]);
    if (theirs.count == 0) continue;
    if (first < 0) first = worker;
    ++bad_workers;
    bad += theirs.count;
  }
  if (bad == 0) return true;
  const auto policy = options_.non_finite;
  if (policy == NonFinite::abort ||
      (policy == NonFinite::drop_worker && bad_workers == me_.size())) {
    const auto theirs = NonFiniteCount::of(packed_counts_[static_cast<std::size_t>(first)]);
    throw NonFiniteGradient(
        fmt::format("gradient: all values must be finite; got {} infinite or NaN values on worker "
                    "{} at step {}, the first in {}; a smaller learning rate may help, or the "
                    "policy {}",
                    theirs.count, original_ranks_[static_cast<std::size_t>(first)], counts_.steps,
                    name_of(theirs), overlap_ ? "zero" : "skip_step or zero"),
        counts_.steps);
  }
  if (policy == NonFinite::skip_step) {
    ++counts_.skipped_steps;
    return false;
  }
  if (policy == NonFinite::drop_worker) {
    drop_non_finite(own);
    return true;
  }
  if (own.count > 0) zero_non_finite(gradients);
  counts_.zeroed_values += bad;
  return true;
}

std::string DistributedOptimizer::name_of(const NonFiniteCount& bad) const {
  const auto& infos = parameters_.infos();
  return bad.tensor < infos.size() ? infos[bad.tensor].name : "no tensor of this model";
}

void DistributedOptimizer::drop_non_finite(const NonFiniteCount& own) {
  std::vector<DroppedWorker> gone;
  for (int worker = 0; worker < me_.size(); ++worker) {
    const auto theirs = NonFiniteCount::of(packed_counts_[static_cast<std::size_t>(worker)]);
    if (theirs.count == 0) continue;
    gone.push_back({worker, counts_.steps,
                    fmt::format("gradient: {} infinite or NaN values, the first in {}",
                                theirs.count, name_of(theirs))});
  }
  check<WorkerDropped>(own.count == 0, "gradient: worker {} is evicted",
                       original_ranks_[static_cast<std::size_t>(me_.rank())]);
  continue_without(gone);
}

void DistributedOptimizer::continue_without(const std::vector<DroppedWorker>& gone) {
  std::vector<DroppedWorker> reports = gone;
  for (auto& each : reports) each.worker = original_ranks_[static_cast<std::size_t>(each.worker)];
  for (std::size_t i = gone.size(); i-- > 0;) {
    packed_counts_.erase(packed_counts_.begin() + gone[i].worker);
    original_ranks_.erase(original_ranks_.begin() + gone[i].worker);
  }
  std::vector<int> ranks;
  for (int rank = 0; rank < me_.size(); ++rank) {
    if (std::ranges::find(gone, rank, &DroppedWorker::worker) == gone.end()) ranks.push_back(rank);
  }
  keep_only(me_, std::move(ranks));

  Fnv1a left;
  for (const int rank : original_ranks_) {
    const auto number = static_cast<std::uint64_t>(rank);
    left.add("worker", std::as_bytes(std::span(&number, 1)));
  }
  std::vector<std::uint64_t> hashes(static_cast<std::size_t>(me_.size()));
  collectives_.agree(left.hash(), counts_.steps, hashes);
  check(std::ranges::count(hashes, left.hash()) == me_.size(),
        "step {}: expected all workers to agree on who has left; they disagree, and worker {} is "
        "among those that left",
        counts_.steps, reports.front().worker);

  topology_ = options_.make_smaller_topology(me_);
  if (me_.rank() != 0 || !options_.on_drop) return;
  for (const auto& each : reports) options_.on_drop(each);
}

void DistributedOptimizer::serialize(Archive& archive) {
  archive.set_tensor_names(parameters_.names());
  archive.item("steps", counts_.steps);
  archive.item("skipped_steps", counts_.skipped_steps);
  archive.item("zeroed_values", counts_.zeroed_values);
  attack_.serialize(archive);
  compressor_->serialize(archive);
  rule_.serialize(archive);
  parameters_.serialize(archive);
}

void DistributedOptimizer::serialize_workers(Archive& archive) {
  std::vector<std::uint64_t> remaining(original_ranks_.begin(), original_ranks_.end());
  archive.item("workers", remaining);
  if (!archive.loading() || std::ranges::equal(remaining, original_ranks_)) return;
  std::vector<int> ranks(remaining.begin(), remaining.end());
  const auto own = original_ranks_[static_cast<std::size_t>(me_.rank())];
  check(std::ranges::adjacent_find(ranks, std::ranges::greater_equal()) == ranks.end() &&
            std::ranges::includes(original_ranks_, ranks) && std::ranges::binary_search(ranks, own),
        "workers: expected ascending ranks with worker {} among {} workers", own,
        original_ranks_.size());
  check(options_.make_smaller_topology != nullptr,
        "workers: expected {} workers, of which none has left; got {}", original_ranks_.size(),
        ranks.size());
  keep_only(me_, ranks);
  original_ranks_ = std::move(ranks);
  packed_counts_.resize(original_ranks_.size());
  topology_ = options_.make_smaller_topology(me_);
}

std::uint64_t DistributedOptimizer::state_hash() {
  HashArchive archive;
  serialize(archive);
  return archive.hash();
}

}  // namespace terse
