#include "tersegrad/comm/faults/attack.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/core/spec.hpp"

namespace terse {
namespace {

using Kind = Attack::Kind;

constexpr double kLargest = 1e30;

void read_nothing(Options&, Attack&) {}
void read_deviation(Options& options, Attack& attack) {
  const bool given = options.has("scale");
  const double scale = options.number("scale", 1, 0, kLargest);
  if (given) attack.scale = scale;
}
void read_factor(Options& options, Attack& attack) {
  attack.factor = options.number("factor", 10, -kLargest, kLargest);
}
void read_steps(Options& options, Attack& attack) {
  attack.steps = static_cast<int>(options.integer("steps", 1, 1, 1000));
}
void read_all(Options& options, Attack& attack) {
  attack.all = options.flag("all", false);
}
void read_rate(Options& options, Attack& attack) {
  attack.rate = options.number("rate", 1, 0, 1);
}
void read_checksum(Options& options, Attack& attack) {
  constexpr std::string_view kChoices[] = {"recompute", "keep"};
  attack.keep_checksum = options.choice("checksum", "recompute", kChoices) == "keep";
}
void read_bits(Options& options, Attack& attack) {
  attack.rate = options.number("rate", 1e-3, 0, 1);
  read_checksum(options, attack);
}
void read_delay(Options& options, Attack& attack) {
  attack.milliseconds = options.number("ms", 10, 0, 1e6);
  read_rate(options, attack);
}
void read_replay(Options& options, Attack& attack) {
  read_rate(options, attack);
  read_checksum(options, attack);
}
void read_death(Options&, Attack& attack) {
  check<UsageError>(attack.at.has_value(), "attack die: expected a step; write e.g. die:at=100");
}

constexpr AttackEntry kRegistry[] = {
    {"sign-flip", Kind::sign_flip, "the opposite of the gradient", read_nothing},
    {"random", Kind::random,
     "noise as long as the gradient, or of deviation scale=", read_deviation},
    {"zero", Kind::zero, "nothing but zeros", read_nothing},
    {"scale", Kind::scale, "the gradient times factor=, which may be negative", read_factor},
    {"stale", Kind::stale, "the gradient of steps= ago", read_steps},
    {"collude", Kind::collude, "one direction for all attackers and steps", read_deviation},
    {"nan", Kind::nan, "a NaN in the first place, or with all everywhere", read_all},
    {"bit-flip", Kind::bit_flip, "each bit of a payload flips with probability rate=", read_bits},
    {"drop", Kind::drop, "packets that are never sent", read_rate},
    {"duplicate", Kind::duplicate, "packets that are sent twice", read_rate},
    {"delay", Kind::delay, "packets that leave ms= late", read_delay},
    {"replay", Kind::replay, "packets of the step before in their place", read_replay},
    {"die", Kind::die, "the worker throws at the start of step at=", read_death},
};

const AttackEntry& find(std::string_view name) {
  std::vector<std::string> known = {"none"};
  for (const auto& entry : kRegistry) {
    if (entry.name == name) return entry;
    known.emplace_back(entry.name);
  }
  throw UsageError(unknown_name("attack", name, std::move(known)));
}

double norm(std::span<const GradView> views) {
  constexpr std::int64_t kGrain = 1 << 16;
  double sum = 0;
  for (const auto& view : views) {
    sum += parallel_sum(std::ssize(view.data), kGrain, [&](std::int64_t begin, std::int64_t end) {
      double part = 0;
      for (std::int64_t i = begin; i < end; ++i) {
        const double value = view.data[static_cast<std::size_t>(i)];
        part += value * value;
      }
      return part;
    });
  }
  return std::sqrt(sum);
}

void multiply(std::span<const GradView> views, double factor) {
  for (const auto& view : views) {
    for (auto& value : view.data) value *= static_cast<float>(factor);
  }
}

void fill(std::span<const GradView> views, float value) {
  for (const auto& view : views) std::ranges::fill(view.data, value);
}

}  // namespace

std::span<const AttackEntry> attack_registry() {
  return kRegistry;
}

Attack parse_attack(std::string_view spec) {
  if (spec.empty() || spec == "none") return {};
  constexpr std::int64_t kMany = std::int64_t{1} << 40;
  const Stage stage = parse_stage("attack", spec);
  check<UsageError>(stage.name != "none", "attack 'none' takes no options; got '{}'", spec);
  const auto& entry = find(stage.name);
  Attack attack{.kind = entry.kind};
  Options options("attack", stage);
  attack.workers = static_cast<int>(options.integer("workers", 1, 0, 65535));
  const auto at = options.integer("at", -1, 0, kMany);
  if (at >= 0) attack.at = static_cast<std::uint64_t>(at);
  entry.read(options, attack);
  options.finish();
  return attack;
}

std::string to_string(const Attack& attack) {
  for (const auto& entry : kRegistry) {
    if (entry.kind != attack.kind) continue;
    auto text = fmt::format("{}:workers={}", entry.name, attack.workers);
    if (attack.at) text += fmt::format(",at={}", *attack.at);
    if (attack.scale) text += fmt::format(",scale={}", *attack.scale);
    if (attack.kind == Kind::scale) text += fmt::format(",factor={}", attack.factor);
    if (attack.kind == Kind::stale) text += fmt::format(",steps={}", attack.steps);
    if (attack.all) text += ",all=true";
    if (attack.kind == Kind::delay) text += fmt::format(",ms={}", attack.milliseconds);
    if (attack.on_wire()) text += fmt::format(",rate={}", attack.rate);
    if (attack.keep_checksum) text += ",checksum=keep";
    return text;
  }
  return "none";
}

void check_attack(const Attack& attack, int workers) {
  check<UsageError>(
      attack.workers <= workers || attack.kind == Kind::none,
      "attack {}: expected at most {} attackers, the number of workers; got workers={}",
      to_string(attack), workers, attack.workers);
}

// ---- value attacks ------------------------------------------------------------------------------

ValueAttack::ValueAttack(const Attack& attack, std::uint64_t seed, int rank, int workers)
    : seed_(seed), worker_(static_cast<std::uint32_t>(rank)) {
  check_attack(attack, workers);
  if (attack.by(rank, workers)) attack_ = attack;
}

void ValueAttack::apply(std::uint64_t step, std::span<const GradView> gradients) {
  const bool hit = attack_.hits(step);
  if (attack_.kind == Kind::stale) return replay(gradients, hit);  // records the gradient anyway
  if (!hit) return;
  switch (attack_.kind) {
    case Kind::die:
      throw Error(fmt::format("attack: worker {} dies at step {}", worker_, step));
    case Kind::sign_flip:
      return multiply(gradients, -1);
    case Kind::random:
      return draw(worker_, step, gradients);
    case Kind::zero:
      return fill(gradients, 0);
    case Kind::scale:
      return multiply(gradients, attack_.factor);
    case Kind::collude:
      return draw(0, 0, gradients);
    case Kind::nan: {
      constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
      if (attack_.all) return fill(gradients, kNan);
      for (const auto& view : gradients) {
        if (view.data.empty()) continue;
        view.data.front() = kNan;
        return;
      }
      return;
    }
    default:  // none, or a wire attack
      return;
  }
}

void ValueAttack::draw(std::uint32_t worker, std::uint64_t step,
                       std::span<const GradView> gradients) {
  constexpr std::int64_t kGrain = 1 << 12;  // Philox::seek requires a multiple of 4
  const double length = attack_.scale ? 0 : norm(gradients);
  for (const auto& view : gradients) {
    parallel_for(std::ssize(view.data), kGrain, [&](std::int64_t begin, std::int64_t end) {
      Philox random(seed_, {.purpose = Purpose::attack,
                            .worker = worker,
                            .step = static_cast<std::uint32_t>(step),
                            .tensor = view.id});
      random.seek(2 * static_cast<std::uint64_t>(begin));  // a normal draw consumes two words
      for (std::int64_t i = begin; i < end; ++i) {
        view.data[static_cast<std::size_t>(i)] = random.normal();
      }
    });
  }
  multiply(gradients, attack_.scale ? *attack_.scale : length / std::max(norm(gradients), 1e-30));
}

void ValueAttack::replay(std::span<const GradView> gradients, bool hit) {
  const auto size = static_cast<std::size_t>(count(gradients));
  const auto steps = static_cast<std::uint64_t>(attack_.steps);
  const bool young = calls_ < steps;
  auto place = size * static_cast<std::size_t>(calls_ % steps);
  if (young) past_.resize(place + size);
  std::size_t first = 0;
  for (const auto& view : gradients) {
    for (auto& value : view.data) {
      const float now = value;
      if (hit && calls_ > 0) value = past_[young ? first : place];
      past_[place++] = now;
      ++first;
    }
  }
  ++calls_;
}

void ValueAttack::serialize(Archive& archive) {
  if (attack_.kind != Kind::stale) return;
  archive.item("attack.calls", calls_);
  archive.item("attack.past", past_);
}

}  // namespace terse
