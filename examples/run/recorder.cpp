#include "examples/run/recorder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <utility>

#include "examples/run/output.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/inspect/json.hpp"
#include "tersegrad/inspect/observed_compressor.hpp"

namespace terse::run {
namespace {

// A tensor's name as part of a path.
std::string file_name(std::string name) {
  std::ranges::replace(name, '/', '_');
  return name + ".npy";
}

void write_bytes(const std::filesystem::path& file, std::span<const std::byte> bytes) {
  write_file(file, [&](std::ostream& out) {
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
  });
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  check(!error, "folder '{}': cannot be created: {}", folder.string(), error.message());
}

class RecordingProbe final : public StepProbe, public CompressorObserver {
 public:
  RecordingProbe(Recorder& recorder, Worker& me, int worker)
      : recorder_(recorder), me_(me), worker_(worker) {}

  std::unique_ptr<Compressor> around_chain(std::unique_ptr<Compressor> chain) override {
    return observed(std::move(chain), *this);
  }
  void begin_step(std::int64_t step) override { watches_ = recorder_.wants(step); }
  void end_step(std::int64_t step) override {
    if (!std::exchange(watches_, false)) return;
    const auto seen = std::exchange(step_, {});
    if (!seen.buckets.empty()) recorder_.write(me_, worker_, step, seen);
  }

  bool watches() const override { return watches_; }
  void input(const Round& round, std::span<const GradView> grads, float,
             std::span<const GradView>) override {
    const auto paused = me_.pause_time();
    recorder_.add_gradient(step_, round, grads);
  }
  void packet(const Round& round, std::span<const GradView> shape, const Compressor&,
              const Packet& up) override {
    const auto paused = me_.pause_time();
    recorder_.add_packet(step_, round, shape, up);
  }

 private:
  Recorder& recorder_;
  Worker& me_;
  int worker_;
  bool watches_ = false;
  ObservedStep step_;
};

}  // namespace

Recorder::Recorder(const RunConfig& config, const ParameterBuffer& parameters,
                   const Options& options)
    : config_(config),
      run_(*config.out),
      request_(parse_record(*config.record)),
      plan_(plan_records(config, request_, parameters, config.is_async() ? 0 : options.taken,
                         options.total)),
      processes_(options.processes),
      first_(options.first) {
  set_header(config, parameters);
  if (options.taken > 0) resume(options.taken, !config.is_async());
  if (!first_) return;
  if (plan_.steps > 0) note("records: {}\n", to_text(plan_));
  make_folder(records_file(run_).parent_path());
  write_manifest();
}

void Recorder::set_header(const RunConfig& config, const ParameterBuffer& parameters) {
  records_ = {.compressor = make_compressor(config.compressor)->spec(),
              .topology = std::string(config.topology.name()),
              .seed = config.seed,
              .workers = config.workers,
              .values = parameters.numel(),
              .packets = request_.packets};
  for (const auto& info : chosen_tensors(request_, parameters.infos())) {
    records_.tensors.push_back({.name = info.name,
                                .file = file_name(info.name),
                                .id = info.id,
                                .shape = {info.shape.begin(), info.shape.end()},
                                .rows = info.rows,
                                .cols = info.cols,
                                .kernel = info.kernel,
                                .first = info.offset});
  }
}

// Keeps the steps before the checkpoint. Those after it are recorded again.
void Recorder::resume(std::int64_t taken, bool drops_later) {
  std::error_code ignored;
  const auto file = records_file(run_);
  if (!std::filesystem::exists(file, ignored)) {
    check(!std::filesystem::exists(file.parent_path(), ignored) ||
              std::filesystem::is_empty(file.parent_path(), ignored),
          "'{}': is missing, but there are records; move the folder away to record anew",
          file.string());
    return;
  }
  auto before = read_records(run_);
  check<UsageError>(header_json(before) == header_json(records_),
                    "--record: expected the tensors and packets that '{}' has; leave the flag out, "
                    "or give another --out",
                    records_file(run_).string());
  if (drops_later) std::erase_if(before.steps, [&](const auto& s) { return s.step >= taken; });
  records_.steps = std::move(before.steps);
}

void Recorder::add_gradient(ObservedStep& to, const Round& round,
                            std::span<const GradView> grads) const {
  to.round = round;
  to.buckets[round.first].first = round.first;
  to.buckets[round.first].count = count(grads);
  for (const auto& grad : grads) {
    if (std::ranges::find(records_.tensors, grad.id, &RecordedTensor::id) == records_.tensors.end())
      continue;
    to.gradients[grad.id].assign(grad.data.begin(), grad.data.end());
  }
}

void Recorder::add_packet(ObservedStep& to, const Round& round, std::span<const GradView> shape,
                          const Packet& up) const {
  if (!request_.packets) return;
  auto& bucket = to.buckets[round.first];
  bucket.first = round.first;
  bucket.count = count(shape);
  bucket.packets.push_back(up);
  bucket.packets.back().seal();
}

RecordedStep Recorder::write_files(int worker, std::int64_t step,
                                   const ObservedStep& observed) const {
  RecordedStep written{.step = step,
                       .round = observed.round.step,
                       .differences = exchanges_differences(config_, step),
                       .workers = {{.worker = worker,
                                    .rank = static_cast<int>(observed.round.worker),
                                    .lr = observed.round.lr}}};
  const auto folder = recorded_folder(run_, step, worker);
  make_folder(folder);
  for (const auto& tensor : records_.tensors) {
    write_npy(folder / tensor.file,
              {.name = tensor.name,
               .type = "F32",
               .shape = tensor.shape,
               .data = std::as_bytes(std::span(observed.gradients.at(tensor.id)))});
  }
  int number = observed.buckets.size() == 1 ? -1 : 0;
  for (const auto& [first, bucket] : observed.buckets) {
    for (const auto& packet : bucket.packets) {
      const int phase = packet.header().phase;
      const auto file = packet_file(phase, number);
      write_bytes(folder / file, packet.bytes());
      written.packets.push_back(
          {.file = file, .phase = phase, .first = bucket.first, .count = bucket.count});
    }
    ++number;
  }
  return written;
}

void Recorder::write(Worker& me, int worker, std::int64_t step, const ObservedStep& observed) {
  auto own = write_files(worker, step, observed);
  if (processes_) {
    // No process leaves, so all workers have the same numbers and ranks.
    me.barrier();
    if (!first_) return;
    for (int other = 1; other < me.size(); ++other) {
      own.workers.push_back({.worker = other, .rank = other, .lr = own.workers.front().lr});
    }
    return publish(std::move(own));
  }
  const std::lock_guard lock(mutex_);
  const auto newly = own.workers.front();
  auto& pending = pending_.try_emplace(step, std::move(own)).first->second;
  if (pending.workers.front().worker != newly.worker) pending.workers.push_back(newly);
  if (std::ssize(pending.workers) < me.size()) return;
  publish(std::move(pending));
  pending_.erase(step);
}

void Recorder::write_alone(int worker, std::int64_t step, const ObservedStep& observed) {
  auto own = write_files(worker, step, observed);
  const std::lock_guard lock(mutex_);
  const auto former = std::ranges::find(records_.steps, step, &RecordedStep::step);
  if (former != records_.steps.end()) {
    std::erase_if(former->workers, [&](const auto& w) { return w.worker == worker; });
    own.workers.insert(own.workers.end(), former->workers.begin(), former->workers.end());
  }
  publish(std::move(own));
}

void Recorder::publish(RecordedStep step) {
  std::ranges::sort(step.workers, {}, &RecordedWorker::worker);
  std::erase_if(records_.steps, [&](const auto& former) { return former.step == step.step; });
  records_.steps.push_back(std::move(step));
  std::ranges::sort(records_.steps, {}, &RecordedStep::step);
  write_manifest();
}

void Recorder::write_manifest() const {
  write_file(records_file(run_), json_text(to_json(records_), 1) + "\n");
}

void Recorder::finish() const {
  if (!first_ || !records_.steps.empty()) return;
  note("records: none of the steps of --record has exchanged anything, so none is recorded\n");
}

std::unique_ptr<StepProbe> make_recording_probe(Recorder& recorder, Worker& me, int worker) {
  return std::make_unique<RecordingProbe>(recorder, me, worker);
}

void record_push(Recorder& recorder, const EncodedPush& push) {
  const auto step = static_cast<std::int64_t>(push.round.step);
  if (!recorder.wants(step)) return;
  ObservedStep seen;
  recorder.add_gradient(seen, push.round, push.gradient);
  recorder.add_packet(seen, push.round, push.gradient, push.packet);
  recorder.write_alone(static_cast<int>(push.round.worker), step, seen);
}

}  // namespace terse::run
