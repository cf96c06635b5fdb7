// What PowerSGD and its alternating form share.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "tersegrad/optim/compressor.hpp"

namespace terse {

struct PowerSgdOptions {
  std::int64_t rank = 2;
  bool warm = true;
  int iterations = 1;
  double min_rate = 0;
};

// One factor sent in a step, the other in the next: `powersgd:alternate`.
std::unique_ptr<Compressor> make_alternating_powersgd(std::uint16_t number,
                                                      const PowerSgdOptions& options);

namespace powersgd {

// Whether a matrix is factored, if that takes so many floats a step.
bool compressed(const GradView& view, double floats, double min_rate);
// Columns from N(0, 1), the same on all workers.
void draw(const Round& round, std::uint64_t step, const GradView& view, std::span<float> columns);
// Draws columns of `length` values anew, for the next step, that are zero or not finite: a zero one
// would stay so for ever.
void redraw_lost_columns(const Round& round, const GradView& view, std::int64_t length,
                         std::span<float> columns);

// What a step has agreed on: P Q^T / workers of every matrix, and the mean of what is sent as it
// is.
class Reconstruction final : public GradientSource {
 public:
  // Begins anew, for the sum of so many workers. The memory of earlier steps is used again.
  void reset(float workers);
  // The next tensor. P must stay where it is, and so must the values.
  void add_matrix(const GradView& shape, std::span<const float> p, std::span<const float> sum_of_q);
  void add(std::span<const float> sums);

  std::span<const float> read(std::int64_t first, std::span<float> room) const override;
  void write_to(std::span<const GradView> out) const;

 private:
  struct Tensor {
    std::int64_t rows = 0, cols = 0;
    std::span<const float> p = {}, sums = {};  // no P: the sums are all there is
    std::vector<float> q = {};
  };
  Tensor& next(std::int64_t size);

  float workers_ = 1;
  std::vector<Tensor> tensors_;          // the first begins_.size() - 1 of them
  std::vector<std::int64_t> begins_{0};  // of the tensors, and the end
};

}  // namespace powersgd
}  // namespace terse
