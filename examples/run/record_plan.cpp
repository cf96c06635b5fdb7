#include "examples/run/record_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "examples/run/exchange.hpp"
#include "examples/run/progress.hpp"
#include "tersegrad/comm/setup/model_setup.hpp"
#include "tersegrad/comm/topology/bucket.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/npy.hpp"
#include "tersegrad/core/random.hpp"

namespace terse::run {
namespace {

std::uint64_t round_of(const RunConfig& c, std::int64_t step) {
  if (!exchanges_differences(c, step)) return static_cast<std::uint64_t>(step);
  return static_cast<std::uint64_t>((step - c.local_after) / c.local_steps);
}

// The first, the second and the last step to record, and their number.
struct ChosenSteps {
  std::int64_t count = 0;
  std::vector<std::int64_t> some = {};
};

ChosenSteps choose_steps(const RunConfig& c, const RecordRequest& request, std::int64_t taken) {
  ChosenSteps chosen;
  const auto add = [&](std::int64_t step) {
    ++chosen.count;
    if (chosen.some.size() == 3) chosen.some.pop_back();
    chosen.some.push_back(step);
  };
  for (auto [first, last] : request.steps) {
    for (auto step = std::max(first, taken); step <= last; ++step) {
      if (exchanges(c, step)) add(step);
    }
  }
  return chosen;
}

// The buckets that the topology exchanges one by one.
std::vector<Bucket> buckets_of(const RunConfig& c, const Traits& traits,
                               std::span<const GradView> views) {
  std::vector<Bucket> buckets = {{.tensors = views.size(), .first = 0, .count = count(views)}};
  if (bucket_bytes(c) > 0) buckets = cut_from_the_end(views, bucket_bytes(c));
  const bool sharded = c.topology == RunTopology::server && !traits.linear && !traits.sliceable;
  if (!sharded) return buckets;
  std::vector<Bucket> shards;
  for (const auto& bucket : buckets) {
    const int parts = traits.whole_model ? 1 : static_cast<int>(c.servers);
    for (auto shard : cut_into_buckets(bucket.of(views), parts)) {
      shard.tensor += bucket.tensor;
      shard.first += bucket.first;
      if (shard.tensors > 0) shards.push_back(shard);
    }
  }
  return shards;
}

// Bytes of the packets of one bucket, in all phases, with headers. No other worker takes part.
std::size_t packet_bytes(Compressor& compressor, Round round, std::span<const GradView> views) {
  std::size_t bytes = 0;
  const auto traits = compressor.traits(round.step);
  for (round.phase = 0; round.phase < traits.phases; ++round.phase) {
    Packet up;
    compressor.encode(round, views, up);
    bytes += up.size_bytes();
    if (round.phase + 1 == traits.phases) break;
    compressor.advance(round, down_packet(compressor, round, views, std::span(&up, 1)), views);
  }
  return bytes;
}

// The same for the whole model, of a normal gradient with this standard deviation.
std::size_t packet_bytes(const RunConfig& c, const ParameterBuffer& parameters, std::int64_t step,
                         float deviation) {
  std::vector<float> gradient(static_cast<std::size_t>(parameters.numel()));
  Philox random(c.seed, {.purpose = Purpose::synthetic});
  for (auto& value : gradient) value = deviation * random.normal();
  const auto views = grad_views(parameters, gradient);
  const auto compressor = c.is_async() ? make_compressor(c.compressor) : make_run_compressor(c);
  const Round round{.seed = c.seed, .step = round_of(c, step), .lr = 0.1F};
  std::size_t bytes = 0;
  for (const auto& bucket : buckets_of(c, compressor->traits(round.step), views)) {
    bytes += packet_bytes(*compressor, bucket.of(round), bucket.of(views));
  }
  return bytes;
}

std::size_t gradient_bytes(const RecordRequest& request, const ParameterBuffer& parameters) {
  std::size_t bytes = 0;
  for (const auto& info : chosen_tensors(request, parameters.infos())) {
    const auto values = parameters.values().subspan(static_cast<std::size_t>(info.offset),
                                                    static_cast<std::size_t>(info.numel));
    bytes += values.size_bytes() + npy_header({.name = info.name,
                                               .type = "F32",
                                               .shape = {info.shape.begin(), info.shape.end()},
                                               .data = std::as_bytes(values)},
                                              info.name)
                                       .size();
  }
  return bytes;
}

void add_packets(const RunConfig& c, const ParameterBuffer& parameters, const ChosenSteps& steps,
                 RecordPlan& plan) {
  std::vector<std::size_t> sizes;
  for (const auto step : steps.some) sizes.push_back(packet_bytes(c, parameters, step, 1));
  sizes.push_back(packet_bytes(c, parameters, steps.some.front(), 1e-3F));
  plan.exact = std::ranges::count(sizes, sizes.front()) == std::ssize(sizes);
  plan.bytes += static_cast<double>(*std::ranges::max_element(sizes));
}

void check_steps(const RecordRequest& request, std::int64_t total) {
  const auto last = request.steps.back().last;
  check<UsageError>(total == 0 || last < total,
                    "--record: steps: expected steps from 0 to {}, because the run has {}; got {}",
                    total - 1, total, last);
}

}  // namespace

bool exchanges(const RunConfig& c, std::int64_t step) {
  return c.local_steps == 0 || step < c.local_after ||
         (step - c.local_after + 1) % c.local_steps == 0;
}

bool exchanges_differences(const RunConfig& c, std::int64_t step) {
  return c.local_steps > 0 && step >= c.local_after && exchanges(c, step);
}

RecordPlan plan_records(const RunConfig& c, const RecordRequest& request,
                        const ParameterBuffer& parameters, std::int64_t taken, std::int64_t total) {
  check_steps(request, total);
  const auto steps = choose_steps(c, request, taken);
  check<UsageError>(steps.count > 0 || taken > 0,
                    "--record: steps: expected a step in which models are averaged; with "
                    "--local-steps {} and --local-after {} the first is {}",
                    c.local_steps, c.local_after, c.local_after + c.local_steps - 1);
  RecordPlan plan{.steps = steps.count,
                  .workers = c.workers,
                  .bytes = static_cast<double>(gradient_bytes(request, parameters))};
  if (request.packets && steps.count > 0) add_packets(c, parameters, steps, plan);
  check<UsageError>(plan.total() <= static_cast<double>(request.limit),
                    "--record: expected at most {} of records; these are {}; choose fewer steps "
                    "or tensors, or raise the limit, such as limit={:.0f}GB",
                    bytes_text(static_cast<double>(request.limit)), to_text(plan),
                    plan.total() / 1e9 + 0.5);
  return plan;
}

std::string to_text(const RecordPlan& plan) {
  return fmt::format("{} {} x {} {} x {}{} = {}", plan.steps, plan.steps == 1 ? "step" : "steps",
                     plan.workers, plan.workers == 1 ? "worker" : "workers",
                     plan.exact ? "" : "about ", bytes_text(plan.bytes), bytes_text(plan.total()));
}

}  // namespace terse::run
