// Checks in some steps of a run that no part of a gradient is lost (optim/conservation.hpp). A law
// that is broken ends the run with an Error that names the tensor, the step and the difference.
//
// Tolerance: the largest difference in a tensor may be 2e-6 of the largest of the values that are
// added, about 30 roundings.
//
// Cost of a checked step: four copies of the gradient. If the server keeps a residual too, also a
// sum over the workers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "examples/run/all_workers.hpp"
#include "examples/run/measure.hpp"
#include "examples/run/model_copy.hpp"
#include "examples/run/step_probe.hpp"
#include "tersegrad/comm/transport/worker.hpp"
#include "tersegrad/core/parameters.hpp"
#include "tersegrad/inspect/observed_compressor.hpp"
#include "tersegrad/optim/conservation.hpp"

namespace terse::run {

class LawProbe final : public StepProbe {
 public:
  // All references must outlive the probe. Worker 0 calls `held` after each step in which the laws
  // have been checked.
  LawProbe(const ProbePlan& plan, Worker& me, AllWorkers& all_workers,
           std::span<const ParameterInfo> tensors, std::function<void()> held = {})
      : plan_(plan),
        me_(me),
        all_workers_(all_workers),
        tensors_(tensors),
        held_(std::move(held)) {}

  std::unique_ptr<Compressor> around_stage(std::unique_ptr<Compressor> stage,
                                           bool decorator) override;
  void begin_step(std::int64_t step) override;
  void end_step(std::int64_t step) override;

 private:
  // A stage that declares the law, and what passed through it in this step.
  struct Stage final : CompressorObserver {
    Stage(LawProbe& probe, ConservingStage& stage, std::string spec);
    bool watches() const override { return probe.watches_; }
    void input(const Round&, std::span<const GradView>, float, std::span<const GradView>) override;
    void packet(const Round&, std::span<const GradView>, const Compressor&, const Packet&) override;
    void mean(const Round&, std::span<const GradView>, const GradientSource&) override;
    void clear();

    LawProbe& probe;
    ConservingStage& law;
    std::string spec;
    ModelCopy input_copy, total, sent, mean_copy, server_before, kept;
  };

  void check_worker(Stage& stage, std::int64_t step);
  void check_server(Stage& stage, std::int64_t step);
  // left + right = total, where `left` was sent and `right` is kept.
  void check_sum(const Stage& stage, std::int64_t step, const ParameterInfo& tensor,
                 std::span<const double> sent, std::span<const double> kept,
                 std::span<const double> total, std::string_view law) const;

  ProbePlan plan_;
  Worker& me_;
  AllWorkers& all_workers_;
  std::span<const ParameterInfo> tensors_;
  std::function<void()> held_;
  std::vector<std::unique_ptr<Stage>> stages_;
  bool watches_ = false;
};

}  // namespace terse::run
