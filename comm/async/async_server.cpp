#include "tersegrad/comm/async/async_server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "tersegrad/comm/setup/model_setup.hpp"
#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

// With a bound of 0 the server is synchronous: it gathers the pushes of all workers.
ServerRule bounded(ServerRule rule, const AsyncServer::Options& options) {
  if (options.bound == 0U) rule.gathering = {.pushes = options.workers, .waits = true};
  return rule;
}

}  // namespace

AsyncServer::AsyncServer(const Options& options, ParameterBuffer& parameters, UpdateRule& update,
                         ServerRule rule, std::unique_ptr<Compressor> compressor)
    : options_(options),
      parameters_(parameters),
      update_(update),
      rule_(bounded(std::move(rule), options)),
      decoder_(parameters, std::move(compressor), options.seed),
      slots_(static_cast<std::size_t>(options.workers)),
      at_least_clock_(options.workers),
      held_(static_cast<std::size_t>(rule_.gathering.pushes)) {
  options_.keep_models |= rule_.correction && rule_.correction->compares();
  update_.prepare(rule_setup(parameters, options.seed));
}

void AsyncServer::pull(int worker) {
  pull(worker, version_, options_.keep_models ? copy() : nullptr);
}

void AsyncServer::pull(int worker, std::uint64_t version, ModelCopy model) {
  slot(worker).read = version;
  if (options_.keep_models) slot(worker).model = std::move(model);
}

ModelCopy AsyncServer::copy() {
  if (!copy_) {
    auto made = std::make_shared<Buffer<float>>(parameters_.numel());
    std::ranges::copy(model(), made->span().begin());
    copy_ = std::move(made);
  }
  return copy_;
}

// ---- pushes -------------------------------------------------------------------------------------

void AsyncServer::push(int worker, Packet& packet, float lr) {
  applied_.clear();
  released_.clear();
  const bool late = rule_.gathering.drops && slot(worker).read < version_;
  if (late) {
    ++dropped_;
  } else {
    hold(worker, packet);
  }
  const bool all_moved = advance_clock(worker);
  slot(worker).waits = !late && rule_.gathering.waits;
  idle_.push_back(worker);
  if (std::ssize(gathered_) == rule_.gathering.pushes) apply(lr);
  release_idle(all_moved || !applied_.empty());
}

// Inserts the push after those of the same worker and of lower ranks.
void AsyncServer::hold(int worker, Packet& packet) {
  check(!options_.keep_models || slot(worker).model,
        "push of worker {}: expected that it has pulled a model", worker);
  const auto place = std::ranges::upper_bound(gathered_, worker, {}, &AppliedPush::worker);
  const auto at = place - gathered_.begin(), end = std::ssize(gathered_);
  std::swap(held_[static_cast<std::size_t>(end)], packet);
  std::rotate(held_.begin() + at, held_.begin() + end, held_.begin() + end + 1);
  gathered_.insert(place,
                   {.worker = worker, .read = slot(worker).read, .model = slot(worker).model});
}

void AsyncServer::apply(float lr) {
  for (auto& push : gathered_) {
    push.staleness = version_ - push.read;
    staleness_.add(push.staleness);
  }
  std::swap(applied_, gathered_);
  float rate = 1;
  const auto mean = rule_.correction ? corrected_mean(lr, rate)
                                     : decoder_.mean(std::span(held_).first(applied_.size()), lr);
  update_.apply(parameters_.values(), mean, lr * rate);
  ++version_;
  copy_ = nullptr;
  for (const auto& push : applied_) slot(push.worker).waits = false;
}

// With c pushes, corrected gradients g_i and rate factors f_i:
//
//   mean = sum f_i g_i / sum f_i        rate = sum f_i / c
//
// Plain SGD thus makes the step lr / c · sum f_i g_i, and every other update rule gets a mean of
// gradients as well.
std::span<const float> AsyncServer::corrected_mean(float lr, float& rate) {
  const auto now = model();
  float factors = 0;
  for (std::size_t i = 0; i < applied_.size(); ++i) {
    const auto& push = applied_[i];
    const auto gradient = decoder_.alone(held_[i], lr);
    const auto read = push.model ? push.model->span() : std::span<const float>();
    rule_.correction->correct(gradient, now, read);
    const float factor = rule_.correction->rate(push.staleness);
    factors += factor;
    if (applied_.size() == 1) {
      rate = factor;
      return gradient;
    }
    if (i == 0) sum_.assign(gradient.size(), 0.0F);
    for (std::size_t k = 0; k < sum_.size(); ++k) sum_[k] += factor * gradient[k];
  }
  for (auto& value : sum_) value /= factors;
  rate = factors / static_cast<float>(applied_.size());
  return sum_;
}

// ---- release of workers -------------------------------------------------------------------------

// Increments the worker's clock. Returns true if the minimum of all clocks has increased, which
// happens at most once in W pushes.
bool AsyncServer::advance_clock(int worker) {
  if (slot(worker).clock++ > least_clock_ || --at_least_clock_ > 0) return false;
  least_clock_ = std::ranges::min_element(slots_, {}, &AsyncSlot::clock)->clock;
  at_least_clock_ = static_cast<int>(std::ranges::count(slots_, least_clock_, &AsyncSlot::clock));
  return true;
}

// Releases the idle workers that may continue. Without `all`, only the last one is checked: nothing
// that the others wait for has happened.
void AsyncServer::release_idle(bool all) {
  const auto first = all ? idle_.begin() : idle_.end() - 1;
  const auto stays = [&](int worker) {
    const auto& own = slot(worker);
    return own.waits || (options_.bound && own.clock > least_clock_ + *options_.bound);
  };
  const auto gone = std::stable_partition(first, idle_.end(), stays);
  released_.assign(gone, idle_.end());
  idle_.erase(gone, idle_.end());
  std::ranges::sort(released_);
}

bool AsyncServer::waits(int worker) const {
  return std::ranges::find(idle_, worker) != idle_.end();
}

// ---- state --------------------------------------------------------------------------------------

void AsyncServer::serialize(Archive& archive, ModelTable& models) {
  archive.set_tensor_names(parameters_.names());
  archive.item("version", version_);
  archive.item("dropped", dropped_);
  for (std::size_t w = 0; w < slots_.size(); ++w) {
    const auto scope = archive.scope(fmt::format("slot.{}", w));
    archive.item("read", slots_[w].read);
    archive.item("clock", slots_[w].clock);
    std::uint64_t waits = slots_[w].waits ? 1 : 0;
    archive.item("waits", waits);
    slots_[w].waits = waits != 0;
    models.item("model", slots_[w].model);
    check(slots_[w].read <= version_, "version: expected at most {}; got {}", version_,
          slots_[w].read);
  }
  std::vector<std::int64_t> idle(idle_.begin(), idle_.end());
  archive.item("idle", idle);
  for (const auto worker : idle) {
    check(worker >= 0 && worker < options_.workers, "idle: expected workers below {}; got {}",
          options_.workers, worker);
  }
  idle_.assign(idle.begin(), idle.end());
  serialize_pushes(archive, models);
  decoder_.serialize(archive);
  if (rule_.correction) rule_.correction->serialize(archive);
  update_.serialize(archive);
  parameters_.serialize(archive);
  staleness_.serialize(archive, "staleness");
  if (!archive.loading()) return;
  copy_ = nullptr;
  least_clock_ = std::ranges::min_element(slots_, {}, &AsyncSlot::clock)->clock;
  at_least_clock_ = static_cast<int>(std::ranges::count(slots_, least_clock_, &AsyncSlot::clock));
}

// Pushes of an update: those that are held, with their packets, and those of the last update.
void AsyncServer::serialize_pushes(Archive& archive, ModelTable& models) {
  const auto serialize = [&](std::string_view name, std::vector<AppliedPush>& pushes,
                             std::size_t most) {
    const auto scope = archive.scope(name);
    std::uint64_t count = pushes.size();
    archive.item("count", count);
    check(count <= most, "{}: expected at most {} pushes; got {}", name, most, count);
    pushes.resize(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto of_push = archive.scope(std::to_string(i));
      auto worker = static_cast<std::int64_t>(pushes[i].worker);
      archive.item("worker", worker);
      check(worker >= 0 && worker < options_.workers, "{}: expected a worker below {}; got {}",
            name, options_.workers, worker);
      pushes[i].worker = static_cast<int>(worker);
      archive.item("read", pushes[i].read);
      archive.item("staleness", pushes[i].staleness);
      models.item("model", pushes[i].model);
      check(pushes[i].read <= version_ && pushes[i].staleness <= version_,
            "{}: expected a version and a staleness of at most {}; got {} and {}", name, version_,
            pushes[i].read, pushes[i].staleness);
      check(!options_.keep_models || pushes[i].model, "{}: expected the model of version {}", name,
            pushes[i].read);
      if (&pushes == &gathered_) held_[i].serialize(archive, "packet");
    }
  };
  serialize("held", gathered_, held_.size() - 1);  // with one more there would be an update
  serialize("applied", applied_, held_.size());
}

ModelTable::ModelTable(Archive& archive, std::int64_t numel) : archive_(archive), numel_(numel) {
  if (archive.loading()) serialize_copies();
}

void ModelTable::item(std::string_view name, ModelCopy& copy) {
  const auto find = [&] { return std::ranges::find(copies_, copy); };
  std::int64_t number = -1;
  if (!archive_.loading() && copy) {
    if (find() == copies_.end()) copies_.push_back(copy);
    number = find() - copies_.begin();
  }
  archive_.item(name, number);
  if (!archive_.loading()) return;
  check(number >= -1 && number < std::ssize(copies_),
        "{}: expected the number of one of {} models, or -1; got {}", name, copies_.size(), number);
  copy = number < 0 ? nullptr : copies_[static_cast<std::size_t>(number)];
}

void ModelTable::finish() {
  if (!archive_.loading()) serialize_copies();
}

void ModelTable::serialize_copies() {
  const auto scope = archive_.scope("models");
  std::uint64_t count = copies_.size();
  archive_.item("count", count);
  for (std::uint64_t i = 0; i < count; ++i) {
    Buffer<float> values(numel_);
    if (!archive_.loading()) std::ranges::copy(copies_[i]->span(), values.span().begin());
    archive_.item(std::to_string(i), values.span());
    if (archive_.loading()) {
      copies_.push_back(std::make_shared<const Buffer<float>>(std::move(values)));
    }
  }
}

}  // namespace terse
