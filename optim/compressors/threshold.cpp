// Threshold: every coordinate beyond tau, as +tau or -tau.
//
//   worker w:  I_w = the i with |x_i| > tau
//              send i and the sign of x_i, for i in I_w ascending
//   exchange and decoding: as of every sparsifier, sparse.hpp
//
// `threshold+ef` is the published method: the excess over tau and the values that never reached tau
// stay in the residual, so a coordinate changes by at most tau per step. A NaN exceeds nothing. A
// coordinate that is sent has the error |x_i| - tau, the others |x_i|: never more than x itself.
//
// Payload: 4 bytes per entry: the coordinate in 31 bits, bit 31 set for minus.
// Time: one pass.
// Source: Strom, "Scalable distributed DNN training using commodity GPU cloud computing",
// Interspeech 2015.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/compressors/sparse.hpp"
#include "tersegrad/optim/kernels/select.hpp"

namespace terse {
namespace {

class Threshold final : public SparseCompressor {
 public:
  Threshold(std::uint16_t number, float tau) : SparseCompressor(number), tau_(tau) {}

  // +tau or -tau lies between 0 and the value that it stands for.
  bool is_contraction() const override { return true; }

  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView>) const override {
    FieldList list(up);
    list.signed_indices("coordinates", std::ssize(up.words()));
    return list.take();
  }

 protected:
  std::string stage() const override { return fmt::format("threshold:tau={}", tau_); }
  std::string_view refuses_coder() const override {
    return "each value is +tau or -tau and already takes one bit";
  }

  void choose(const Round&, std::span<const GradView> grads, Entries& chosen) override {
    std::uint32_t first = 0;
    for (const auto& grad : grads) {
      const auto x = grad.data;
      kernels::select_if(
          std::ssize(x), first,
          [from = x.data(), tau = tau_](std::int64_t i) { return std::abs(from[i]) > tau; }, found_,
          chosen.at);
      first += static_cast<std::uint32_t>(x.size());
    }
    chosen.take_values(grads);
  }

  bool exact() const override { return false; }
  void write(const Round& round, std::span<const GradView> shape, const Entries& chosen,
             Packet& up) const override {
    check<UsageError>(count(shape) <= std::int64_t{1} << 31,
                      "threshold: expected at most 2^31 values in a bucket, because coordinates "
                      "have 31 bits; got {}",
                      count(shape));
    const auto words = start(round, shape, chosen.at.size(), up);
    for (std::size_t entry = 0; entry < words.size(); ++entry) {
      words[entry] = with_sign(chosen.at[entry], chosen.values[entry] < 0);
    }
  }

  void read(const Round&, std::span<const GradView> shape, std::span<const std::uint32_t> payload,
            Entries& entries) const override {
    for (const auto word : payload) entries.add(coordinate_of(word), is_minus(word) ? -tau_ : tau_);
    expect_ascending(entries.at, count(shape));
  }

 private:
  float tau_;
  kernels::Found<std::uint32_t> found_;  // scratch: no state
};

}  // namespace

std::unique_ptr<Compressor> make_threshold(std::uint16_t number, Options& options,
                                           std::unique_ptr<Compressor>) {
  const auto tau = options.number("tau", 0.01, std::numeric_limits<float>::min(),
                                  std::numeric_limits<float>::max());
  return std::make_unique<Threshold>(number, static_cast<float>(tau));
}

}  // namespace terse
