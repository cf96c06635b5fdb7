// How much of what a method compresses survives, beside the best that is possible.
//
//   x      what the first stage encodes: the gradient, with error feedback the gradient and the
//          residual, with momentum the velocity
//   kept   1 - |x - C(x)|^2 / |x|^2, where C(x) is the reconstruction of the worker's own packet
//   top-k  the same for the k largest values of x, k = payload bytes / 8: a packet of this size
//          could hold so many, with 4 bytes for an index and 4 for a value
//   SVD    the same for the best approximation of rank r of each matrix, with the vectors whole;
//          r is the option `rank` of the method's first stage
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tersegrad/inspect/observed_compressor.hpp"
#include "tersegrad/optim/conservation.hpp"

namespace terse::run {

struct Energy {
  double kept = 0, top_k = 0;
  double svd = 0;  // NaN if the method has no rank
};

// Observes the first stage of one worker's compressor.
class StageEnergy final : public CompressorObserver {
 public:
  // The compressor of the method, with its first stage observed.
  std::unique_ptr<Compressor> make(const std::string& method);

  // Of all that the stage has encoded since the last call. Empty if it has encoded nothing, as
  // during a warm-up, or only zeros.
  std::optional<Energy> take();

  // Writes e, what the method keeps for later steps, to `residual`. Returns false if it keeps none.
  bool copy_residual(std::span<const GradView> residual) const;

  bool watches() const override { return true; }
  void input(const Round& round, std::span<const GradView> grads, float keep,
             std::span<const GradView> residual) override;
  void packet(const Round& round, std::span<const GradView> shape, const Compressor& stage,
              const Packet& up) override;

 private:
  double best_of_rank() const;

  ConservingStage* conserving_ = nullptr;
  std::optional<std::int64_t> rank_;
  std::vector<float> x_;                        // of all buckets of the step
  std::vector<GradView> shapes_;                // without data
  std::size_t bucket_ = 0, bucket_shapes_ = 0;  // where the latest bucket begins in both
  bool open_ = false;                           // its last packet is not encoded yet
  std::size_t payload_bytes_ = 0;
  double lost_ = 0;  // |x - C(x)|^2
};

}  // namespace terse::run
