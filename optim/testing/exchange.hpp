// What an exchange between workers does, in one thread and without a network: enough to test a
// compressor with. The real one is in comm.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/testing/gradients.hpp"

namespace terse {

using MakeCompressor = std::function<std::unique_ptr<Compressor>()>;

class TestExchange {
 public:
  struct Options {
    std::uint64_t seed = 1;
    bool bucket_per_tensor = false;      // otherwise all tensors are one bucket
    std::int64_t slice = 0;              // coordinates in a slice, a multiple of 32; 0: all
    bool record_reconstruction = false;  // fill own_reconstruction()
    std::int64_t read_at_once =
        0;  // read the mean so many values at a time, the last first; 0: all
  };

  // The packets of one phase of the last step; of the last bucket, if there are several.
  struct PhasePackets {
    std::vector<Packet> up;  // by worker
    Packet down;             // the sum, or what combine made of it
  };

  TestExchange(const MakeCompressor& make, int workers, Options options);
  TestExchange(const MakeCompressor& make, int workers) : TestExchange(make, workers, Options{}) {}

  // One step: each worker's gradients -> each worker's mean gradient.
  std::vector<OwnedGradients> step(std::vector<OwnedGradients> gradients);
  // The same if the workers agree on the result bit for bit, otherwise an Error.
  OwnedGradients mean(const std::vector<OwnedGradients>& gradients);

  // Worker 0 also combines the packets.
  Compressor& worker(int w) { return *compressors_[w]; }
  const std::vector<PhasePackets>& phases() const { return phases_; }
  // The reconstruction of worker 0's own packet in the last step.
  const OwnedGradients& own_reconstruction() const { return own_reconstruction_; }
  std::uint64_t next_step() const { return step_; }
  void set_next_step(std::uint64_t step) { step_ = step; }
  void set_lr(float lr) { lr_ = lr; }  // of the next steps

 private:
  using Bucket = std::vector<std::vector<GradView>>;  // views by worker
  void run_bucket(Round round, const Bucket& gradients, const Bucket& out);
  void decode(Compressor& compressor, const Round& round, const Packet& down,
              std::span<const GradView> out) const;
  Packet down_of(const Round& round, const Traits& traits, std::span<const GradView> shape,
                 const std::vector<Packet>& up);
  Packet combine_slices(const Round& round, const std::vector<Packet>& up,
                        std::span<const float> weights);

  Options options_;
  std::uint64_t step_ = 0;
  float lr_ = 0;
  std::vector<std::unique_ptr<Compressor>> compressors_;
  std::vector<PhasePackets> phases_;
  OwnedGradients own_reconstruction_;
};

// The sum of packets of floats, added in the order of the workers.
Packet add_packets(const std::vector<Packet>& up);

}  // namespace terse
