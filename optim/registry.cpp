// The table of all compressors and decorators, and how a spec string becomes one of them.
#include <fmt/format.h>

#include <array>

#include "core/error.hpp"
#include "optim/compressor.hpp"

namespace terse {

// One file each, in compressors/ and decorators/.
CompressorFactory make_vote, make_sign;
CompressorFactory make_topk, make_randomk;
CompressorFactory make_powersgd;
CompressorFactory make_none;
CompressorFactory make_qsgd, make_terngrad, make_natural, make_fp16, make_bf16, make_int8,
    make_onebit;
CompressorFactory make_error_feedback, make_momentum, make_warmup, make_min_size, make_clip;

namespace {

constexpr bool kCompressor = false, kDecorator = true;

// A number is never given to another method: it is in packets on disk.
constexpr RegistryEntry kRegistry[] = {
    // Whole gradients, and quantised.
    {"none", 1, kCompressor, "the gradient itself, 32 bits a coordinate", "none", make_none},
    {"qsgd", 40, kCompressor, "values rounded at random to levels of their bucket's norm",
     "qsgd:bits=4", make_qsgd},
    {"terngrad", 41, kCompressor, "-s, 0 or +s at random, s the largest magnitude", "terngrad",
     make_terngrad},
    {"natural", 42, kCompressor, "values rounded at random to powers of two, 9 bits", "natural",
     make_natural},
    {"fp16", 43, kCompressor, "IEEE floats of 16 bits; 65520 and more is infinite", "fp16",
     make_fp16},
    {"bf16", 44, kCompressor, "the upper 16 bits of floats, rounded", "bf16", make_bf16},
    {"int8", 45, kCompressor, "256 steps from the smallest value to the largest", "int8",
     make_int8},
    {"onebit", 46, kCompressor, "two means for each column of a matrix, 1 bit; with +ef 1-bit SGD",
     "onebit", make_onebit},

    // Signs.
    {"vote", 2, kCompressor, "signSGD with majority vote, 1 bit; beta= makes it Signum",
     "vote:beta=0.9", make_vote},
    {"sign", 3, kCompressor, "signs times the tensor's mean magnitude, 1 bit", "sign", make_sign},

    // Sparse.
    {"topk", 4, kCompressor, "the largest coordinates, 64 bits each", "topk:ratio=0.01", make_topk},
    {"randomk", 5, kCompressor, "coordinates drawn alike by all workers, 32 bits each",
     "randomk:ratio=0.01", make_randomk},

    // Low rank.
    {"powersgd", 6, kCompressor, "low-rank factors by one step of power iteration",
     "powersgd:rank=2", make_powersgd},

    // Decorators.
    {"ef", 101, kDecorator, "error feedback: what was left out is added to the next gradient",
     "topk:ratio=0.01+ef", make_error_feedback},
    {"momentum", 102, kDecorator, "momentum before compression", "vote+momentum:beta=0.9",
     make_momentum},
    {"warmup", 103, kDecorator, "the first steps without compression",
     "powersgd:rank=2+ef+warmup:steps=100", make_warmup},
    {"min", 104, kDecorator, "tensors below a size without compression",
     "topk:ratio=0.01+min:size=1000", make_min_size},
    {"clip", 105, kDecorator, "each worker's gradient clipped to a global norm",
     "powersgd:rank=4+ef+clip:norm=0.4", make_clip},
};

const RegistryEntry& find(std::string_view name) {
  for (const auto& entry : kRegistry) {
    if (entry.name == name) return entry;
  }
  std::vector<std::string> known;
  for (const auto& entry : kRegistry) known.emplace_back(entry.name);
  throw UsageError(unknown_name("compressor", name, std::move(known)));
}

}  // namespace

std::span<const RegistryEntry> compressor_registry() {
  return kRegistry;
}

std::unique_ptr<Compressor> make_compressor(std::string_view spec) {
  std::unique_ptr<Compressor> made;
  for (const auto& stage : Spec::parse(spec).stages) {
    const auto& entry = find(stage.name);
    check<UsageError>(made != nullptr || !entry.decorator,
                      "compressor '{}': {} wraps a compressor, which comes first; write e.g. {}",
                      spec, entry.name, entry.example);
    check<UsageError>(made == nullptr || entry.decorator,
                      "compressor '{}': {} after '+' would code the values of the stage before; "
                      "chains of compressors are not available yet",
                      spec, entry.name);
    Options options("compressor", stage);
    made = entry.make(entry.number, options, std::move(made));
    options.finish();
  }
  return made;
}

}  // namespace terse
