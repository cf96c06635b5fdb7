#include "tersegrad/comm/topology/robust_compressor.hpp"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/decorators/decorator.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {
namespace {

class RobustCompressor final : public Decorator {
 public:
  RobustCompressor(const Aggregation& aggregation, std::unique_ptr<Compressor> inner)
      : Decorator(std::move(inner)), aggregation_(aggregation) {}

  std::string spec() const override { return inner_->spec(); }

  // Krum needs the distances of whole gradients.
  Traits traits(std::uint64_t step) const override {
    const auto inner = inner_->traits(step);
    return {.whole_model = inner.whole_model || aggregation_.rule == Aggregation::Rule::krum,
            .scale_free = inner.scale_free};
  }

  void combine(const Round& round, std::span<const GradView> shape, std::span<const Packet> up,
               std::span<const float>, Packet& down) override {
    check_workers(aggregation_, static_cast<int>(up.size()));  // workers may have left
    const auto n = static_cast<std::size_t>(count(shape));
    values_.resize(up.size() * n);
    vectors_.clear();
    for (std::size_t w = 0; w < up.size(); ++w) {
      const auto vector = std::span(values_).subspan(w * n, n);
      auto alone = round;
      alone.worker = static_cast<std::uint32_t>(w);
      alone.workers = 1;
      lay_out(shape, vector, views_);
      try {
        inner_->reconstruct(alone, up[w], views_);
      } catch (const PacketError&) {  // an invalid packet counts as a Byzantine vector
        std::ranges::fill(vector, std::numeric_limits<float>::quiet_NaN());
      }
      vectors_.emplace_back(vector);
    }
    auto header = header_for(round, up.front().header().compressor, PacketKind::down, shape.size());
    header.contributors = static_cast<std::uint16_t>(up.size());
    down.start(header, n * sizeof(float));
    aggregate(aggregation_, vectors_, down.floats());
  }

  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> shape) override {
    return means_.at(round.first) = GradientInMemory(mean_of(round, down, shape));
  }

 private:
  static std::span<const float> mean_of(const Round& round, const Packet& down,
                                        std::span<const GradView> shape) {
    const auto answer = down.floats();
    check<PacketError>(
        down.header().kind == PacketKind::down && down.header().phase == round.phase &&
            down.header().tensors == shape.size() && std::ssize(answer) == count(shape),
        "packet: expected a down packet of phase {} with {} values in {} tensors; got {} of phase "
        "{} with {} values in {} tensors",
        round.phase, count(shape), shape.size(), to_string(down.header().kind), down.header().phase,
        answer.size(), down.header().tensors);
    return answer;
  }

  Aggregation aggregation_;
  std::vector<float> values_;  // the vectors of all workers, one after the other
  std::vector<std::span<const float>> vectors_;
  std::vector<GradView> views_;
  SourcePerBucket<GradientInMemory> means_;
};

}  // namespace

std::unique_ptr<Compressor> with_aggregation(const Aggregation& aggregation,
                                             const TopologyOptions& topology,
                                             std::unique_ptr<Compressor> compressor) {
  if (aggregation.rule == Aggregation::Rule::mean) return compressor;
  const auto name = to_string(aggregation);
  check_workers(aggregation, topology.workers);
  const auto traits = compressor->traits(0);
  check<UsageError>(
      traits.self_contained && traits.phases == 1,
      "aggregation {} with {}: its packets cannot be decoded alone, because they depend on packets "
      "of other workers or of earlier steps; try topk:ratio=0.01+ef",
      name, compressor->spec());
  check<UsageError>(topology.kind != TopologyKind::ring || !traits.linear,
                    "aggregation {} with {} over ring: the ring adds these packets on the way, and "
                    "a sum is not robust; take topology server",
                    name, compressor->spec());
  check<UsageError>(topology.all_reduce == AllReduce::ring,
                    "aggregation {} with all-reduce {}: packets are gathered and not added; leave "
                    "the all-reduce out",
                    name, to_string(topology.all_reduce));
  return std::make_unique<RobustCompressor>(aggregation, std::move(compressor));
}

}  // namespace terse
