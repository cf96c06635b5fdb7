// Measures the health of a run (inspect/health.hpp) in some of its steps. Worker 0 reports on its
// own gradient; the mean and the votes are those of all workers.
//
// Cost of a measured step: five copies of the gradient, two sums over the workers, and one pass per
// singular value. Its messages are control messages, which are counted separately.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "examples/run/all_workers.hpp"
#include "examples/run/measure.hpp"
#include "examples/run/model_copy.hpp"
#include "examples/run/step_probe.hpp"
#include "tersegrad/comm/transport/worker.hpp"
#include "tersegrad/core/parameters.hpp"
#include "tersegrad/inspect/health.hpp"
#include "tersegrad/inspect/observed_compressor.hpp"
#include "tersegrad/optim/conservation.hpp"

namespace terse::run {

class HealthProbe final : public StepProbe {
 public:
  // All references must outlive the probe. `report` is called by worker 0.
  HealthProbe(const ProbePlan& plan, Worker& me, AllWorkers& all_workers,
              std::span<const ParameterInfo> tensors, std::uint64_t seed,
              std::function<void(const HealthReport&)> report);

  std::unique_ptr<Compressor> around_stage(std::unique_ptr<Compressor> stage,
                                           bool decorator) override;
  std::unique_ptr<Compressor> around_chain(std::unique_ptr<Compressor> chain) override;
  void begin_step(std::int64_t step) override;
  void end_step(std::int64_t step) override;

 private:
  // Of the whole chain: the gradient and the decoded mean.
  struct ChainObserver final : CompressorObserver {
    explicit ChainObserver(HealthProbe& of) : probe(of) {}
    bool watches() const override { return probe.watches_; }
    void input(const Round&, std::span<const GradView>, float, std::span<const GradView>) override;
    void mean(const Round&, std::span<const GradView>, const GradientSource&) override;
    HealthProbe& probe;
  };
  // Of the first stage: what is encoded and its reconstruction.
  struct StageObserver final : CompressorObserver {
    explicit StageObserver(HealthProbe& of) : probe(of) {}
    bool watches() const override { return probe.watches_; }
    void input(const Round&, std::span<const GradView>, float, std::span<const GradView>) override;
    void packet(const Round&, std::span<const GradView>, const Compressor&, const Packet&) override;
    HealthProbe& probe;
  };

  void exchange();
  HealthReport measure();

  ProbePlan plan_;
  Worker& me_;
  AllWorkers& all_workers_;
  std::span<const ParameterInfo> tensors_;
  std::uint64_t seed_;
  std::function<void(const HealthReport&)> report_;

  ChainObserver chain_observer_{*this};
  StageObserver stage_observer_{*this};
  ConservingStage* conserving_ = nullptr;  // the last one made, which is in use
  bool watches_ = false;
  bool votes_ = false;  // of the watched step
  std::optional<double> declared_;
  ModelCopy gradient_, encoded_, reconstruction_, decoded_, residual_;
  std::vector<double> true_mean_, vote_sums_;
};

}  // namespace terse::run
