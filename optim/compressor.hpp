// The interface of every compressor, and of every decorator around one.
//
// A step has, for each phase of the compressor:
//
//   worker:    encode(gradients)          -> the up packet
//   exchange:  by `Traits`, one of
//                linear      the payloads are floats and are added by an all-reduce
//                sliceable   combine gets 32-aligned slices of all packets, one owner per slice
//                otherwise   combine gets all packets whole
//   worker:    decode(the down packet)    -> the mean gradient, in the last phase
//              advance(the down packet)   in every other phase
//
// A compressor starts no thread and has no access to the network; it may call parallel_for. State
// is kept by tensor id, and draws depend on (step, tensor): results do not depend on how a model is
// cut into buckets.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tersegrad/core/archive.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/spec.hpp"
#include "tersegrad/optim/grad_view.hpp"
#include "tersegrad/optim/gradient_source.hpp"
#include "tersegrad/optim/packet.hpp"

namespace terse {

class UpdateRule;

// Describes one call: seed, step, worker, phase, learning rate, and a range of coordinates. A
// compressor does not keep it.
struct Round {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
  std::uint32_t worker = 0, workers = 1;
  int phase = 0;
  float lr = 0;
  // The coordinates of the model that the call covers: a bucket, or a slice of a bucket.
  std::int64_t first = 0, count = 0;
  // In `combine` of a slice, the bucket that the slice is part of; otherwise 0.
  std::int64_t bucket_first = 0, bucket_count = 0;
};

struct Traits {
  int phases = 1;
  bool linear = false;         // the payload is floats that an all-reduce may add
  bool sliceable = false;      // combine works on any 32-aligned slice of coordinates
  int block_words = 1;         // sliceable: the words of a plane that belong to 32 coordinates
  bool self_contained = true;  // a packet can be decoded alone, as by an asynchronous server
  bool whole_model = false;    // needs all tensors at once, so there is one bucket
  bool scale_free = false;     // the mean is a direction without a magnitude
  // What a packet leaves out is sent later, from the compressor's state.
  bool keeps_residual = false;
  // `combine` rounds the sum of the packets: an error that no worker's reconstruction contains.
  bool rounds_sum = false;
};

// A part of a packet's payload, as `explain` prints it.
struct Field {
  std::string name;
  std::size_t offset = 0, size = 0;  // bytes within the payload
  std::string text;                  // the first values, separated by spaces
};

// A sentence for the user, without a full stop. `explain` prints every remark; a run prints the
// warnings on standard error.
struct Remark {
  std::string text;
  bool warning = false;  // with these settings the method may not converge
};

class Compressor {
 public:
  virtual ~Compressor() = default;

  // The spec string with every option written out; make_compressor(spec()) is the same compressor.
  virtual std::string spec() const = 0;
  // The traits in this step: a warm-up changes them.
  virtual Traits traits(std::uint64_t step) const = 0;

  // On the worker: gradients -> up packet. Reads `grads` and changes the state. Called once per
  // phase and bucket.
  virtual void encode(const Round&, std::span<const GradView> grads, Packet& up) = 0;

  // Whether the payload is the uncompressed gradients, and the down packet their mean. Workers that
  // share memory then exchange no packets. A decorator changes gradients, so it returns false.
  virtual bool uncompressed() const { return false; }

  // On the server, on the owner of a slice, or in a ring on every worker: all up packets -> one
  // packet of kind `down`. `up` is in the order of the workers, and so is every sum; `weights` are
  // the factors of the mean (1/workers each). Only ids and sizes of `shape` are read; it is empty
  // for a slice. Not called if the compressor is linear.
  virtual void combine(const Round&, std::span<const GradView> shape, std::span<const Packet> up,
                       std::span<const float> weights, Packet& down) = 0;

  // On every worker, in each phase but the last: updates the state by the down packet. A linear
  // compressor gets the sum of the payloads, of kind `partial`. Only ids and sizes of `shape` are
  // read. Throws PacketError if the packet is malformed.
  virtual void advance(const Round&, const Packet& down, std::span<const GradView> shape);

  // On every worker, in the last phase: the down packet -> the mean gradient. This call makes all
  // changes of the state that depend on the packet. A linear compressor gets the sum of the
  // payloads, of kind `partial`, and divides by the number of contributors in the header. Throws
  // PacketError if the packet is malformed.
  //
  // The source belongs to the compressor. It may be read until the packet changes, or until this
  // bucket (round.first) is decoded again. `scratch` has the ids and shapes of the gradients. A
  // compressor that cannot decode block by block writes the mean there. It may be the memory of the
  // gradients that were encoded.
  virtual const GradientSource& decode(const Round&, const Packet& down,
                                       std::span<const GradView> scratch) = 0;

  // out = C(gradient), the reconstruction of the worker's own last packet. Called after the encode
  // of the last phase and before its decode.
  virtual void reconstruct(const Round&, const Packet& own,
                           std::span<const GradView> out) const = 0;

  // Error feedback in fewer passes: residual = keep · residual + gradient, then encodes the
  // residual, then subtracts the reconstruction of the packet from it. Returns false, and does
  // nothing, if the compressor has no faster way than these three steps. If there are several
  // phases, the gradient is added in the first and the reconstruction is subtracted in the last.
  // The subtraction may stay pending until the next call; `settle` completes it.
  virtual bool encode_with_residual(const Round&, std::span<const GradView> /*grads*/,
                                    float /*keep*/, std::span<const GradView> /*residual*/,
                                    Packet& /*up*/) {
    return false;
  }
  virtual void settle(std::span<const GradView> /*residual*/) {}

  // The parts of the payload of an up packet, in order and without gaps.
  virtual std::vector<Field> fields(const Round&, const Packet& up,
                                    std::span<const GradView> shape) const = 0;

  // Whether C is a contraction for tensors of every size: |x - C(x)|² < |x|² unless C(x) = 0, in
  // expectation if C draws. The share that is kept may depend on x, as that of a projection does.
  // An unbiased C is a contraction if its variance is below 1. Error feedback needs a contraction:
  // otherwise the residual grows.
  virtual bool is_contraction() const { return false; }

  // The declared contraction: the largest delta known, in (0, 1], with
  // |x - C(x)|² ≤ (1 - delta) |x|² for every x of these shapes and this step, in expectation if C
  // draws. nullopt: none is declared.
  virtual std::optional<double> contraction(std::uint64_t /*step*/,
                                            std::span<const GradView> /*shape*/) const {
    return std::nullopt;
  }

  // Gives the method the rule that applies the mean. Called at most once, before the first step;
  // the rule must outlive the calls of `decode`. Throws UsageError if the method needs another
  // rule.
  virtual void attach(UpdateRule&) {}

  // The declared variance: the smallest omega known with E C(x) = x and
  // E|C(x) - x|² ≤ omega |x|² for every x of these shapes and this step. nullopt: none is declared,
  // e.g. because C is biased. Whether one is declared does not depend on the step or the shapes.
  virtual std::optional<double> variance(std::uint64_t /*step*/,
                                         std::span<const GradView> /*shape*/) const {
    return std::nullopt;
  }

  // What the user should know about this compressor for tensors of these shapes.
  virtual std::vector<Remark> remarks(std::uint64_t /*step*/,
                                      std::span<const GradView> /*shape*/) const {
    return {};
  }

  // Saves, loads or hashes the whole state.
  virtual void serialize(Archive&) {}

 protected:
  // A source of the mean that `decode` has written to `scratch`.
  const GradientSource& written(const Round& round, std::span<const GradView> scratch);

 private:
  SourcePerBucket<GradientInRanges> written_;
};

// Calls `advance`, or in the last phase `decode`, and writes the mean gradient to `out`.
void decode_to(std::span<const GradView> out, Compressor& compressor, const Round& round,
               const Packet& down);

// The header of a packet that the worker sends in this round.
inline PacketHeader header_for(const Round& round, std::uint16_t compressor, PacketKind kind,
                               std::size_t tensors) {
  return {.compressor = compressor,
          .kind = kind,
          .phase = static_cast<std::uint8_t>(round.phase),
          .step = static_cast<std::uint32_t>(round.step),
          .worker = static_cast<std::uint16_t>(round.worker),
          .contributors = 1,
          .tensors = static_cast<std::uint32_t>(tensors)};
}

// ---- the registry (optim/registry.cpp) ----------------------------------------------------------

// Makes one stage from its options. A decorator wraps `inner`; a compressor gets no `inner`.
using CompressorFactory = std::unique_ptr<Compressor>(std::uint16_t number, Options& options,
                                                      std::unique_ptr<Compressor> inner);

struct RegistryEntry {
  std::string_view name;
  std::uint16_t number;      // the header of a packet holds that of the spec's first stage
  bool decorator;            // wraps the stages to its left
  std::string_view summary;  // one line
  std::string_view example;  // a spec that uses it
  CompressorFactory* make;
  // The spec that a decorator wraps if it comes first; empty if it must not come first.
  std::string_view bare = {};
};

// All compressors, then all decorators. Each has a number of its own.
std::span<const RegistryEntry> compressor_registry();

// Makes the compressor of a spec such as "topk:ratio=0.01+ef". Throws UsageError for an unknown
// name, key or value.
std::unique_ptr<Compressor> make_compressor(std::string_view spec);

// Puts a decorator around a stage, or returns the stage. `decorator`: the stage is one; otherwise it
// is the first, with all the coders behind it.
using WrapStage =
    FunctionRef<std::unique_ptr<Compressor>(std::unique_ptr<Compressor> stage, bool decorator)>;
// The same, with every stage wrapped before the next one is made around it.
std::unique_ptr<Compressor> make_compressor(std::string_view spec, WrapStage wrap);

}  // namespace terse
