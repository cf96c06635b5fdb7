// PowerSGD: the class, and what it shares with its alternating form.
//
// The algorithm is in powersgd.cpp, error feedback in fewer passes in powersgd_fused.cpp, the
// shared functions in powersgd_parts.cpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/kernels/low_rank.hpp"
#include "tersegrad/optim/tensor_state.hpp"

namespace terse {

struct PowerSgdOptions {
  std::int64_t rank = 2;
  bool warm = true;
  int iterations = 1;
  double min_rate = 1;
};

// The form that sends one factor in a step and the other in the next: `powersgd:alternate`.
std::unique_ptr<Compressor> make_alternating_powersgd(std::uint16_t number,
                                                      const PowerSgdOptions& options);

namespace powersgd {

// Whether the tensor is a matrix whose factors, `floats` floats per step, are small enough for
// min_rate.
bool compressed(const GradView& view, double floats, double min_rate);
// Draws columns from N(0, 1), the same on all workers.
void draw(const Round& round, std::uint64_t step, const GradView& view, std::span<float> columns);
// Prepares columns of `length` values for the next iteration. A column that is zero or not finite
// is drawn anew: power iteration would never change a zero column. Every other column is multiplied
// by the power of two that brings its norm into [1, 2), so that it does not carry the scale of the
// gradients into the next product, which could overflow or underflow. The span of the columns, and
// so the next approximation, stays the same to the bit.
void prepare_columns(const Round& round, const GradView& view, std::int64_t length,
                     std::span<float> columns);

// A gradient as factors: P Q^T / workers of every matrix, and the sum / workers of every vector. It
// is the mean of all workers or, with workers = 1, the reconstruction of one worker's packet.
class Reconstruction final : public GradientSource {
 public:
  // Removes all tensors but keeps their memory; `workers` divides the sums that are added next.
  void reset(float workers);
  // Adds the next tensor. P and the sums must stay valid and unchanged.
  void add_matrix(const GradView& shape, std::span<const float> p, std::span<const float> sum_of_q);
  void add(std::span<const float> sums);

  std::span<const float> read(std::int64_t first, std::span<float> scratch) const override;
  void write_to(std::span<const GradView> out) const;

 private:
  struct Tensor {
    std::int64_t rows = 0, cols = 0;
    std::span<const float> p = {}, sums = {};  // a vector has sums and no P
    std::vector<float> q = {};
  };
  Tensor& next(std::int64_t size);

  float workers_ = 1;
  std::vector<Tensor> tensors_;          // the first begins_.size() - 1 of them are in use
  std::vector<std::int64_t> begins_{0};  // of the tensors, and the end
};

}  // namespace powersgd

class PowerSgd final : public LinearCompressor {
 public:
  PowerSgd(std::uint16_t number, const PowerSgdOptions& options)
      : number_(number), options_(options) {}

  std::string spec() const override;
  // An orthogonal projection: no bound on the share that is kept holds for every matrix.
  bool is_contraction() const override { return true; }
  Traits traits(std::uint64_t) const override {
    return {.phases = 2 * options_.iterations, .linear = true, .self_contained = false};
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override;
  void advance(const Round& round, const Packet& down, std::span<const GradView> shape) override;
  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> shape) override;
  void reconstruct(const Round& round, const Packet& own,
                   std::span<const GradView> out) const override;
  std::vector<Field> fields(const Round& round, const Packet& up,
                            std::span<const GradView> shape) const override;
  void serialize(Archive& archive) override { q_.serialize(archive, "powersgd.q"); }

  // powersgd_fused.cpp
  bool encode_with_residual(const Round& round, std::span<const GradView> grads, float keep,
                            std::span<const GradView> residual, Packet& up) override;
  void settle(std::span<const GradView> residual) override;

 private:
  bool compressed(const GradView& view) const;
  std::int64_t rank_of(const GradView& view) const {
    return std::min({options_.rank, view.rows, view.cols});
  }
  std::int64_t size_of_p(const GradView& view) const { return rank_of(view) * view.rows; }
  std::int64_t size_of_q(const GradView& view) const { return rank_of(view) * view.cols; }
  // Even phases send P, odd phases Q.
  static bool sends_p(int phase) { return phase % 2 == 0; }
  bool is_last(int phase) const { return phase == 2 * options_.iterations - 1; }
  // Floats in the payload of a phase: the factors of all matrices, then the values of all vectors.
  std::int64_t payload_size(int phase, std::span<const GradView> views) const;
  PayloadWriter start(const Round& round, std::span<const GradView> grads, Packet& up) const {
    return start_packet(round, number_, grads.size(), payload_size(round.phase, grads), up);
  }

  // The Q with which this phase begins: the kept one, or a new one.
  std::span<float> q_for(const Round& round, const GradView& view);
  std::span<const float> p_of(const GradView& view) const {
    return p_.existing(view.id, size_of_p(view));
  }
  void keep_q(const Round& round, const Packet& sum, std::span<const GradView> shape);
  void read_reconstruction(const Round& round, const Packet& sum, std::span<const GradView> shape,
                           powersgd::Reconstruction& to) const;

  std::uint16_t number_;
  PowerSgdOptions options_;
  TensorState q_;  // the Q with which the next iteration or step begins
  TensorState p_;  // orthonormal, from the end of one phase until the next P
  SourcePerBucket<powersgd::Reconstruction> means_;

  // powersgd_fused.cpp: the product P Q^T that is still to be subtracted from a residual.
  struct Pending {
    std::int64_t rows = 0, cols = 0;
    std::vector<float> q;  // empty: nothing is pending
  };
  void encode_p_with_residual(const Round& round, std::span<const GradView> grads, float keep,
                              std::span<const GradView> residual, Packet& up);
  void encode_q_backwards(const Round& round, std::span<const GradView> residual, Packet& up);
  kernels::Factors factors(std::uint32_t id, const Pending& pending) const;
  std::map<std::uint32_t, Pending> pending_;
};

}  // namespace terse
