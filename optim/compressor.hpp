// The one interface of every compressor, and of every decorator around one.
//
// A step of a round, for each phase of the compressor:
//
//   worker:    encode(gradients)          -> one packet
//   exchange:  by `Traits`, one of
//                linear      the payloads are floats and are added by an all-reduce
//                sliceable   combine works on 32-aligned slices of the packets, one owner a slice
//                otherwise   combine works on all packets together
//   worker:    decode(the answer)         -> the mean gradient (after the last phase)
//
// A compressor starts no thread and touches no network (parallel_for is allowed). State is keyed by
// tensor id, draws by (step, tensor): cutting a model into buckets changes no tensor's result.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tersegrad/core/archive.hpp"
#include "tersegrad/core/spec.hpp"
#include "tersegrad/optim/grad_view.hpp"
#include "tersegrad/optim/gradient_source.hpp"
#include "tersegrad/optim/packet.hpp"

namespace terse {

// What a call is about. It is passed with every call, never stored.
struct Round {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
  std::uint32_t worker = 0, workers = 1;
  int phase = 0;
  float lr = 0;
  // The coordinates of the model that the call covers: its bucket, or its slice of a bucket.
  std::int64_t first = 0, count = 0;
};

struct Traits {
  int phases = 1;
  bool linear = false;         // the payload is floats that may be added: all-reduce
  bool sliceable = false;      // combine works on any 32-aligned slice of coordinates
  bool self_contained = true;  // one packet can be applied alone: asynchronous server
  bool whole_model = false;    // needs all tensors at once: no buckets
  bool scale_free = false;  // the answer says a direction and no magnitude: a rate decides how far
};

// A part of a packet's payload, for people: `explain` prints it.
struct Field {
  std::string name;
  std::size_t offset = 0, size = 0;  // bytes within the payload
  std::string text;                  // the first values, apart by spaces
};

class Compressor {
 public:
  virtual ~Compressor() = default;

  // The spec string with every option written out; make_compressor(spec()) is the same compressor.
  virtual std::string spec() const = 0;
  // What holds at this step (a warm-up changes it).
  virtual Traits traits(std::uint64_t step) const = 0;

  // Worker: gradients -> packet. Reads `grads`, writes state. Called once per phase and bucket.
  virtual void encode(const Round&, std::span<const GradView> grads, Packet& up) = 0;

  // Whether a payload is the gradients as they are, and the answer their mean. Workers that share
  // memory then spare the packets. (A decorator changes gradients, so it does not pass this on.)
  virtual bool uncompressed() const { return false; }

  // Where packets meet: many -> one, of kind `down`. `up` is in the order of the workers, and so is
  // every sum; `weights` are the factors of the mean (1/workers each). Of `shape` only ids and
  // sizes are read; a slice has none. Not called if linear.
  virtual void combine(const Round&, std::span<const GradView> shape, std::span<const Packet> up,
                       std::span<const float> weights, Packet& down) = 0;

  // Every worker, in each phase but the last: takes the down packet into the state. A linear
  // compressor gets the sum of the payloads, of kind `partial`. `shape`: only ids and sizes are
  // read. PacketError for a packet that is not valid.
  virtual void advance(const Round&, const Packet& down, std::span<const GradView> shape);

  // Every worker, in the last phase: the down packet -> the mean gradient. All changes of state
  // happen in this call, once. A linear compressor gets the sum of the payloads, of kind `partial`,
  // and divides by the packet's weight. PacketError for a packet that is not valid.
  //
  // The source belongs to the compressor. It may be read until the packet changes, or until this
  // bucket (round.first) is decoded again. `scratch` has the ids and shapes of the gradients; what
  // cannot be decoded block by block is written there. It may be the memory of the gradients that
  // were encoded.
  virtual const GradientSource& decode(const Round&, const Packet& down,
                                       std::span<const GradView> scratch) = 0;

  // What the worker's own last packet says by itself: C(gradient). Called after encode of the last
  // phase and before its decode.
  virtual void said(const Round&, const Packet& own, std::span<const GradView> out) const = 0;

  // Fused with error feedback: residual = keep · residual + gradient, then encode the residual,
  // then subtract what the packet says of it; or false, if there is no faster way than to do so.
  // Of several phases the first adds the gradient and the last subtracts. The subtraction may be
  // owed until the next call: `settle` makes the residual true.
  virtual bool encode_with_residual(const Round&, std::span<const GradView> /*grads*/,
                                    float /*keep*/, std::span<const GradView> /*residual*/,
                                    Packet& /*up*/) {
    return false;
  }
  virtual void settle(std::span<const GradView> /*residual*/) {}

  // The parts of a payload of kind `up`, in order and without gaps.
  virtual std::vector<Field> fields(const Round&, const Packet& up,
                                    std::span<const GradView> shape) const = 0;

  // All state: saves, loads or hashes it.
  virtual void serialize(Archive&) {}

 protected:
  // The source of what `decode` has written to `scratch`.
  const GradientSource& written(const Round& round, std::span<const GradView> scratch);

 private:
  SourcePerBucket<GradientInRanges> written_;
};

// Takes in the down packet of any phase: advances, and in the last phase writes the mean gradient to
// `out`.
void decode_to(std::span<const GradView> out, Compressor& compressor, const Round& round,
               const Packet& down);

// The header of a packet that `worker` says in this round.
inline PacketHeader header_for(const Round& round, std::uint16_t compressor, PacketKind kind,
                               std::size_t tensors) {
  return {.compressor = compressor,
          .kind = kind,
          .phase = static_cast<std::uint8_t>(round.phase),
          .step = static_cast<std::uint32_t>(round.step),
          .worker = static_cast<std::uint16_t>(round.worker),
          .weight = 1,
          .tensors = static_cast<std::uint32_t>(tensors)};
}

// ---- the registry (optim/registry.cpp) ----------------------------------------------------------

// Makes one stage from its options; a decorator wraps `inner`, a compressor gets none.
using CompressorFactory = std::unique_ptr<Compressor>(std::uint16_t number, Options& options,
                                                      std::unique_ptr<Compressor> inner);

struct RegistryEntry {
  std::string_view name;
  std::uint16_t number;      // in packet headers: the number of the spec's first stage
  bool decorator;            // wraps the stages to its left
  std::string_view summary;  // one line
  std::string_view example;  // a spec that shows it
  CompressorFactory* make;
  std::string_view bare = {};  // what a decorator that comes first wraps; empty: it cannot
};

// Every compressor and decorator, each with a number of its own; compressors first.
std::span<const RegistryEntry> compressor_registry();

// "topk:ratio=0.01+ef" -> a compressor. UsageError for an unknown name, key or value.
std::unique_ptr<Compressor> make_compressor(std::string_view spec);

}  // namespace terse
