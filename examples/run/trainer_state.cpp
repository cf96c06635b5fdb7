// What a checkpoint saves of a synchronous run, and how a run ends before its last step.
#include <string>
#include <utility>

#include "examples/run/trainer.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/safetensors.hpp"

namespace terse::run {

void Trainer::request_end() {
  local_ ? local_->request_end() : optimizer_.request_end();
}

bool Trainer::end_requested() const {
  return local_ ? local_->end_requested() : optimizer_.end_requested();
}

// `last`: the run ends here.
void Trainer::save(bool last) {
  RunState own{.step = step_, .log_bytes = 0, .parts = {}};
  own.parts.push_back({scope(), safetensors_of([&](Archive& archive) { serialize(archive); })});
  if (me_.rank() == 0) {
    if (run_.listener.log_bytes) own.log_bytes = run_.listener.log_bytes();
    own.parts.push_back({"run", safetensors_of([&](Archive& archive) {
                           run_.result.serialize_past(archive, evaluator_.split(),
                                                      evaluator_.metric());
                         })});
  }
  run_.collector.add(me_, std::move(own), last);
}

void Trainer::resume() {
  check<UsageError>(
      plan_.total() >= run_.resume->step(),
      "--steps or --epochs: expected at least {} steps, which the run has taken; got {}",
      run_.resume->step(), plan_.total());
  run_.resume->load(scope(), [&](Archive& archive) { serialize(archive); });
  check(step_ == run_.resume->step(), "'{}': expected the state of step {}; got {}",
        run_.resume->file().string(), run_.resume->step(), step_);
  if (me_.rank() != 0) return;
  run_.resume->load("run", [&](Archive& archive) {
    run_.result.serialize_past(archive, evaluator_.split(), evaluator_.metric());
  });
}

// Everything that a later step, report or result depends on. docs/checkpoints.md lists it.
void Trainer::serialize(Archive& archive) {
  archive.item("step", step_);
  std::uint64_t is_local = local_ ? 1 : 0;
  archive.item("local", is_local);
  if (is_local != 0 && !local_) make_local();
  {
    const auto scope = archive.scope("method");
    optimizer_.serialize_workers(archive);
    local_ ? local_->serialize(archive) : optimizer_.serialize(archive);
  }
  {
    const auto scope = archive.scope("task");
    task_->serialize(archive);
  }
  if (density_) {
    const auto scope = archive.scope("density");
    density_->serialize(archive);
  }
  {
    const auto scope = archive.scope("messages");
    me_.serialize(archive);
  }
  const auto scope = archive.scope("record");
  statistics_.serialize(archive);
  archive.item("loss", loss_);
  archive.item("lr", lr_);
  archive.item("message_bytes", message_bytes_);
  archive.item("uncompressed", uncompressed_);
  archive.item("virtual_start", virtual_start_);
  std::uint64_t repartitions = repartition_training_ ? 1 : 0;
  archive.item("repartitions", repartitions);
  repartition_training_ = repartitions != 0;
  const auto hidden_scope = archive.scope("hidden"), measured = archive.scope("time");
  double hidden = costs().hidden_seconds;
  archive.item("seconds", hidden);
  if (archive.loading()) hidden_before_ = hidden;
}

}  // namespace terse::run
