// The base of all decorators: every function calls that of the inner stage unless it is overridden,
// except `uncompressed`, `encode_with_residual` and what is declared about the error (is_contraction,
// contraction, variance). They keep the defaults of `Compressor`, so with a decorator in between
// gradients travel in packets, and encoding is not fused with error feedback.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tersegrad/optim/compressor.hpp"

namespace terse {

class Decorator : public Compressor {
 public:
  explicit Decorator(std::unique_ptr<Compressor> inner) : inner_(std::move(inner)) {}

  Traits traits(std::uint64_t step) const override { return inner_->traits(step); }
  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    inner_->encode(round, grads, up);
  }
  void combine(const Round& round, std::span<const GradView> shape, std::span<const Packet> up,
               std::span<const float> weights, Packet& down) override {
    inner_->combine(round, shape, up, weights, down);
  }
  void advance(const Round& round, const Packet& down, std::span<const GradView> shape) override {
    inner_->advance(round, down, shape);
  }
  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> scratch) override {
    return inner_->decode(round, down, scratch);
  }
  void reconstruct(const Round& round, const Packet& own,
                   std::span<const GradView> out) const override {
    inner_->reconstruct(round, own, out);
  }
  std::vector<Field> fields(const Round& round, const Packet& up,
                            std::span<const GradView> shape) const override {
    return inner_->fields(round, up, shape);
  }
  void attach(UpdateRule& rule) override { inner_->attach(rule); }
  std::vector<Remark> remarks(std::uint64_t step, std::span<const GradView> shape) const override {
    return inner_->remarks(step, shape);
  }
  void serialize(Archive& archive) override { inner_->serialize(archive); }

 protected:
  bool last_phase(const Round& round) const { return round.phase == traits(round.step).phases - 1; }
  // spec() of a stage around `inner`, with the given part of its own.
  std::string around(const std::string& stage) const { return inner_->spec() + '+' + stage; }

  std::unique_ptr<Compressor> inner_;
};

// For the factory of a stage that keeps what C leaves out and sends it later. Throws UsageError if
// that does not help: C is no contraction, has no magnitude, or keeps a residual itself. The option
// `unsafe` builds the stage all the same, for tests and teaching; returns whether it is given.
bool unsafe_or_contraction(std::string_view stage, Options& options, const Compressor& inner);

// Scratch for a copy of a bucket's gradients. Its memory is used again in every round.
class BucketCopy {
 public:
  std::span<const GradView> like(std::span<const GradView> bucket) {
    values_.resize(static_cast<std::size_t>(count(bucket)));
    lay_out(bucket, values_, views_);
    return views_;
  }

 private:
  std::vector<float> values_;
  std::vector<GradView> views_;
};

}  // namespace terse
