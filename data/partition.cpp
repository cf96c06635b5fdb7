#include "tersegrad/data/partition.hpp"

#include <algorithm>
#include <charconv>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <utility>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/core/spec.hpp"

namespace terse {
namespace {

// Values of the `tensor` field of the streams of Purpose::shuffle, which distinguish their uses.
// image_folder.cpp uses 2.
constexpr std::uint32_t kEpochOrder = 0, kShardDeal = 1, kGroupDeal = 3;

// The Fisher-Yates shuffle, from the front.
void shuffle(std::span<std::int32_t> values, auto&& random) {
  for (std::size_t i = 0; i + 1 < values.size(); ++i) {
    std::swap(values[i], values[i + random.below(values.size() - i)]);
  }
}

Philox epoch_stream(std::uint64_t seed, std::int64_t worker, std::int64_t epoch) {
  check(epoch >= 0 && epoch <= std::numeric_limits<std::uint32_t>::max(),
        "partition: epoch must be from 0 to 2^32 - 1; got {}", epoch);
  return Philox(seed, {.purpose = Purpose::shuffle,
                       .worker = static_cast<std::uint32_t>(worker),
                       .step = static_cast<std::uint32_t>(epoch),
                       .tensor = kEpochOrder});
}

std::vector<std::int32_t> all_samples(std::int64_t count) {
  std::vector<std::int32_t> samples(static_cast<std::size_t>(count));
  std::iota(samples.begin(), samples.end(), 0);
  return samples;
}

std::int64_t whole_steps(std::string_view name, std::int64_t samples, const WorkerShare& share) {
  check<UsageError>(
      samples >= share.workers * share.batch,
      "partition '{}': expected at least {} workers x batch {} = {} samples; the data "
      "set has {}; use a smaller batch",
      name, share.workers, share.batch, share.workers * share.batch, samples);
  return samples / (share.workers * share.batch);
}

class SharedPartition final : public Partition {
 public:
  SharedPartition(std::int64_t samples, const WorkerShare& share, std::uint64_t seed)
      : Partition(share.batch, whole_steps("shared", samples, share)),
        samples_(samples),
        worker_(share.worker),
        seed_(seed) {}

  void order(std::int64_t epoch, std::vector<std::int32_t>& out) const override {
    out = all_samples(samples_);
    shuffle(out, epoch_stream(seed_, worker_, epoch));
    out.resize(static_cast<std::size_t>(steps_per_epoch() * batch()));
  }

 private:
  std::int64_t samples_;
  std::int64_t worker_;
  std::uint64_t seed_;
};

// The order of an epoch that all workers have in common. The last eight orders are kept and shared
// by all workers of the process, so that a thousand simulated workers do not shuffle the same
// samples a thousand times.
std::shared_ptr<const std::vector<std::int32_t>> common_order(std::int64_t samples,
                                                              std::uint64_t seed,
                                                              std::int64_t epoch) {
  struct Made {
    std::int64_t samples, epoch;
    std::uint64_t seed;
    std::shared_ptr<const std::vector<std::int32_t>> order;
  };
  constexpr std::size_t kKept = 8;
  static std::mutex mutex;
  static std::deque<Made> made;  // newest last
  const std::lock_guard lock(mutex);
  for (const auto& each : made) {
    if (each.samples == samples && each.seed == seed && each.epoch == epoch) return each.order;
  }
  auto all = all_samples(samples);
  shuffle(all, epoch_stream(seed, 0, epoch));
  if (made.size() == kKept) made.pop_front();
  made.push_back(
      {samples, epoch, seed, std::make_shared<const std::vector<std::int32_t>>(std::move(all))});
  return made.back().order;
}

class IidPartition final : public Partition {
 public:
  IidPartition(std::int64_t samples, const WorkerShare& share, std::uint64_t seed)
      : Partition(share.batch, whole_steps("iid", samples, share)),
        samples_(samples),
        share_(share),
        seed_(seed) {}

  void order(std::int64_t epoch, std::vector<std::int32_t>& out) const override {
    const auto common = common_order(samples_, seed_, epoch);
    const auto& all = *common;
    // Sample i of the worker is at position w + i W of the common order.
    out.resize(static_cast<std::size_t>(steps_per_epoch() * batch()));
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = all[static_cast<std::size_t>(share_.worker) +
                   i * static_cast<std::size_t>(share_.workers)];
    }
  }

 private:
  std::int64_t samples_;
  WorkerShare share_;
  std::uint64_t seed_;
};

// The permanent assignment of samples to workers. All workers compute the same assignment.
struct Deal {
  std::vector<std::int32_t> own;  // this worker's samples
  std::int64_t smallest;          // number of samples of the worker that has the fewest
};

void check_smallest(std::string_view name, std::int64_t smallest, std::int64_t samples,
                    const WorkerShare& share) {
  check<UsageError>(smallest >= share.batch,
                    "partition '{}': expected at least {} samples, one batch, for each of {} "
                    "workers; the smallest share has {} of {}; use a smaller batch",
                    name, share.batch, share.workers, smallest, samples);
}

Deal deal_shards(std::span<const std::int32_t> labels, const WorkerShare& share,
                 std::int64_t shards_each, std::uint64_t seed) {
  const std::int64_t count = std::ssize(labels);
  const std::int64_t shards = share.workers * shards_each;
  check<UsageError>(
      shards <= count,
      "partition 'by-label': expected at least one sample for each of {} workers x {} "
      "shards = {} shards; the data set has {}",
      share.workers, shards_each, shards, count);
  auto sorted = all_samples(count);
  std::stable_sort(sorted.begin(), sorted.end(), [&](std::int32_t a, std::int32_t b) {
    return labels[static_cast<std::size_t>(a)] < labels[static_cast<std::size_t>(b)];
  });
  auto hands = all_samples(shards);  // worker w has the shards hands[w K .. (w+1) K)
  shuffle(hands, Philox(seed, {.purpose = Purpose::shuffle, .tensor = kShardDeal}));

  Deal deal{.own = {}, .smallest = count};
  for (std::int64_t worker = 0; worker < share.workers; ++worker) {
    std::int64_t size = 0;
    for (std::int64_t k = 0; k < shards_each; ++k) {
      const std::int64_t shard = hands[static_cast<std::size_t>(worker * shards_each + k)];
      const std::int64_t begin = shard * count / shards, end = (shard + 1) * count / shards;
      size += end - begin;
      if (worker == share.worker) {
        deal.own.insert(deal.own.end(), sorted.begin() + begin, sorted.begin() + end);
      }
    }
    deal.smallest = std::min(deal.smallest, size);
  }
  check_smallest("by-label", deal.smallest, count, share);
  return deal;
}

// Each worker keeps the samples that it was dealt.
class DealtPartition final : public Partition {
 public:
  DealtPartition(Deal deal, const WorkerShare& share, std::uint64_t seed)
      : Partition(share.batch, deal.smallest / share.batch),
        own_(std::move(deal.own)),
        worker_(share.worker),
        seed_(seed) {}

  void order(std::int64_t epoch, std::vector<std::int32_t>& out) const override {
    out = own_;
    shuffle(out, epoch_stream(seed_, worker_, epoch));
    out.resize(static_cast<std::size_t>(steps_per_epoch() * batch()));
  }

 private:
  std::vector<std::int32_t> own_;
  std::int64_t worker_;
  std::uint64_t seed_;
};

std::unique_ptr<Partition> make_by_label(Stage stage, std::span<const std::int32_t> labels,
                                         const WorkerShare& share, std::uint64_t seed) {
  for (auto& option : stage.options) {  // by-label:K is short for by-label:shards=K
    if (!option.value) option = {.key = "shards", .value = option.key};
  }
  Options options("partition", stage);
  const auto shards_each = options.integer("shards", 2, 1, 1'000'000);
  options.finish();
  return std::make_unique<DealtPartition>(deal_shards(labels, share, shards_each, seed), share,
                                          seed);
}

// ---- by-class -----------------------------------------------------------------------------------

// A group of classes: those from `first` to `last`.
struct ClassRange {
  std::int32_t first, last;
};

// Parses "0-4/5-9" or "0/1-9".
std::vector<ClassRange> parse_groups(std::string_view text) {
  std::vector<ClassRange> groups;
  const char *at = text.data(), *const end = text.data() + text.size();
  const auto number = [&](std::int32_t& value) {
    const auto [after, error] = std::from_chars(at, end, value);
    at = after;
    return error == std::errc() && value >= 0;
  };
  for (;;) {
    ClassRange group{};
    bool valid = number(group.first);
    group.last = group.first;
    if (valid && at != end && *at == '-') {
      ++at;
      valid = number(group.last);
    }
    valid = valid && group.first <= group.last && (at == end || *at == '/');
    check<UsageError>(valid,
                      "partition 'by-class': expected ranges of classes, separated by '/', such as "
                      "by-class:0-4/5-9; got '{}'",
                      text);
    groups.push_back(group);
    if (at == end) return groups;
    ++at;
  }
}

using SampleGroups = std::vector<std::vector<std::int32_t>>;

// The samples of each group, in the order of the data.
SampleGroups samples_by_group(std::span<const std::int32_t> labels,
                              const std::vector<ClassRange>& groups) {
  const auto largest = labels.empty() ? 0 : *std::ranges::max_element(labels);
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> group_of(static_cast<std::size_t>(largest) + 1, kNone);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    check<UsageError>(groups[g].last <= largest,
                      "partition 'by-class': expected classes from 0 to {}, the largest label of "
                      "the training samples; got {}",
                      largest, groups[g].last);
    for (auto label = groups[g].first; label <= groups[g].last; ++label) {
      auto& group = group_of[static_cast<std::size_t>(label)];
      check<UsageError>(group == kNone,
                        "partition 'by-class': expected each class in one group; got class {} in "
                        "two",
                        label);
      group = g;
    }
  }
  SampleGroups samples(groups.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto group = group_of[static_cast<std::size_t>(labels[i])];
    check<UsageError>(group != kNone,
                      "partition 'by-class': expected each class from 0 to {} in a group; class {} "
                      "is in none",
                      largest, labels[i]);
    samples[group].push_back(static_cast<std::int32_t>(i));
  }
  return samples;
}

// Deals the samples of each group to the workers whose number is the group's, modulo the number of
// groups.
Deal deal_groups(SampleGroups groups, const WorkerShare& share, std::uint64_t seed) {
  const std::int64_t count = std::ssize(groups);
  Deal deal{.own = {}, .smallest = std::numeric_limits<std::int64_t>::max()};
  std::int64_t all = 0;
  for (std::int64_t g = 0; g < count; ++g) {
    auto& samples = groups[static_cast<std::size_t>(g)];
    const std::int64_t members = (share.workers - g + count - 1) / count;
    const std::int64_t size = std::ssize(samples);
    all += size;
    deal.smallest = std::min(deal.smallest, size / members);
    if (share.worker % count != g) continue;
    shuffle(samples, Philox(seed, {.purpose = Purpose::shuffle,
                                   .step = static_cast<std::uint32_t>(g),
                                   .tensor = kGroupDeal}));
    const std::int64_t member = share.worker / count;
    deal.own.assign(samples.begin() + member * size / members,
                    samples.begin() + (member + 1) * size / members);
  }
  check_smallest("by-class", deal.smallest, all, share);
  return deal;
}

// One worker, which draws each batch from one group. A group whose samples are used up within an
// epoch is shuffled again.
class DrawnGroupPartition final : public Partition {
 public:
  DrawnGroupPartition(SampleGroups groups, std::int64_t samples, const WorkerShare& share,
                      std::uint64_t seed)
      : Partition(share.batch, samples / share.batch), groups_(std::move(groups)), seed_(seed) {}

  void order(std::int64_t epoch, std::vector<std::int32_t>& out) const override {
    auto random = epoch_stream(seed_, 0, epoch);
    auto groups = groups_;
    std::vector<std::int64_t> used;
    for (auto& group : groups) {
      shuffle(group, random);
      used.push_back(0);
    }
    out.clear();
    for (std::int64_t step = 0; step < steps_per_epoch(); ++step) {
      const auto drawn = static_cast<std::size_t>(random.below(groups.size()));
      auto& group = groups[drawn];
      if (used[drawn] + batch() > std::ssize(group)) {
        shuffle(group, random);
        used[drawn] = 0;
      }
      const auto first = group.begin() + used[drawn];
      out.insert(out.end(), first, first + batch());
      used[drawn] += batch();
    }
  }

 private:
  SampleGroups groups_;
  std::uint64_t seed_;
};

std::unique_ptr<Partition> make_by_class(Stage stage, std::span<const std::int32_t> labels,
                                         const WorkerShare& share, std::uint64_t seed) {
  for (auto& option : stage.options) {  // by-class:0-4/5-9 is short for by-class:groups=0-4/5-9
    if (!option.value) option = {.key = "groups", .value = option.key};
  }
  Options options("partition", stage);
  auto groups = samples_by_group(labels, parse_groups(options.text("groups", "")));
  options.finish();
  const std::int64_t count = std::ssize(groups);
  check<UsageError>(share.workers == 1 || share.workers >= count,
                    "partition 'by-class': expected at least {} workers, one for each group, or "
                    "one, which draws each batch from one group; got {}",
                    count, share.workers);
  if (share.workers >= count) {
    return std::make_unique<DealtPartition>(deal_groups(std::move(groups), share, seed), share,
                                            seed);
  }
  for (const auto& group : groups) {
    check<UsageError>(std::ssize(group) >= share.batch,
                      "partition 'by-class': expected at least {} samples, one batch, in each "
                      "group; a group has {}; use a smaller batch",
                      share.batch, group.size());
  }
  return std::make_unique<DrawnGroupPartition>(std::move(groups), std::ssize(labels), share, seed);
}

}  // namespace

Partition::Partition(std::int64_t batch, std::int64_t steps_per_epoch)
    : batch_(batch), steps_per_epoch_(steps_per_epoch) {}

std::vector<std::int32_t> Partition::samples(std::int64_t epoch, std::int64_t step) const {
  check(step >= 0 && step < steps_per_epoch(),
        "partition: step must be from 0 to {}, the last of an epoch; got {}", steps_per_epoch() - 1,
        step);
  std::vector<std::int32_t> all;
  order(epoch, all);
  return {all.begin() + step * batch(), all.begin() + (step + 1) * batch()};
}

std::unique_ptr<Partition> make_partition(std::string_view spec,
                                          std::span<const std::int32_t> labels,
                                          const WorkerShare& share, std::uint64_t seed) {
  constexpr std::int64_t kMostWorkers = 1 << 24;  // a stream has 24 bits for the worker
  constexpr std::int64_t kMostSamples = std::numeric_limits<std::int32_t>::max();
  const std::int64_t count = std::ssize(labels);
  check(count <= kMostSamples, "partition: expected at most 2^31 - 1 samples; got {}", count);
  check<UsageError>(share.batch >= 1 && share.batch <= kMostSamples,
                    "partition: batch must be from 1 to 2^31 - 1; got {}", share.batch);
  check<UsageError>(share.workers >= 1 && share.workers <= kMostWorkers,
                    "partition: workers must be from 1 to {}; got {}", kMostWorkers, share.workers);
  check(share.worker >= 0 && share.worker < share.workers,
        "partition: worker must be from 0 to {}; got {}", share.workers - 1, share.worker);

  Stage stage = parse_stage("partition", spec);
  if (stage.name == "by-label") return make_by_label(std::move(stage), labels, share, seed);
  if (stage.name == "by-class") return make_by_class(std::move(stage), labels, share, seed);
  check<UsageError>(
      stage.name == "shared" || stage.name == "iid", "{}",
      unknown_name("partition", stage.name, {"shared", "iid", "by-label", "by-class"}));
  Options("partition", stage).finish();
  if (stage.name == "shared") return std::make_unique<SharedPartition>(count, share, seed);
  return std::make_unique<IidPartition>(count, share, seed);
}

}  // namespace terse
