// The table of all compressors and decorators, and the construction of one from a spec string.
#include <fmt/format.h>

#include <array>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/compressors/sparse.hpp"

namespace terse {

namespace {
constexpr bool kCompressor = false, kDecorator = true;
}  // namespace

// Declares a factory and returns its address. Each is defined in a file of its own in compressors/
// or decorators/.
#define STAGE(make)         \
  [] {                      \
    CompressorFactory make; \
    return &make;           \
  }()

// A number is never given to another method, because files hold packets with these numbers.
static constexpr RegistryEntry kRegistry[] = {
    // Whole gradients, and quantised.
    {"none", 1, kCompressor, "the gradient itself, 32 bits per coordinate", "none",
     STAGE(make_none)},
    {"qsgd", 40, kCompressor, "values rounded at random to levels of their bucket's norm",
     "qsgd:bits=4", STAGE(make_qsgd)},
    {"terngrad", 41, kCompressor, "-s, 0 or +s at random, s the largest magnitude", "terngrad",
     STAGE(make_terngrad)},
    {"natural", 42, kCompressor, "values rounded at random to powers of two, 9 bits", "natural",
     STAGE(make_natural)},
    {"fp16", 43, kCompressor, "IEEE floats of 16 bits; 65520 and more is infinite", "fp16",
     STAGE(make_fp16)},
    {"bf16", 44, kCompressor, "the upper 16 bits of floats, rounded", "bf16", STAGE(make_bf16)},
    {"int8", 45, kCompressor, "256 steps from the smallest value to the largest", "int8",
     STAGE(make_int8)},
    {"onebit", 46, kCompressor, "two means for each column of a matrix, 1 bit; with +ef 1-bit SGD",
     "onebit", STAGE(make_onebit)},

    // Signs.
    {"vote", 2, kCompressor, "signSGD with majority vote, 1 bit; beta= makes it Signum",
     "vote:beta=0.9", STAGE(make_vote)},
    {"sign", 3, kCompressor, "signs times one magnitude per tensor, or for the model, 1 bit",
     "sign", STAGE(make_sign)},
    {"ssdm", 10, kCompressor, "stochastic signs of a momentum, added up as integers, 1 bit",
     "ssdm:beta=0.9", STAGE(make_ssdm)},
    {"stochastic_sign", 11, kCompressor, "stochastic signs times the norm: unbiased, 1 bit",
     "stochastic_sign:norm=max", STAGE(make_stochastic_sign)},
    {"noisy_sign", 12, kCompressor, "a majority vote of signs of gradient and noise, 1 bit",
     "noisy_sign:sigma=1", STAGE(make_noisy_sign)},

    // Sparse.
    {"topk", 4, kCompressor, "the largest coordinates, 64 bits each", "topk:ratio=0.01",
     STAGE(make_topk)},
    {"randomk", 5, kCompressor, "coordinates drawn alike by all workers, 32 bits each",
     "randomk:ratio=0.01", STAGE(make_randomk)},
    {"threshold", 20, kCompressor, "coordinates beyond tau, as +tau or -tau, 32 bits each",
     "threshold:tau=0.01", STAGE(make_threshold)},
    {"dgc", 21, kCompressor, "deep gradient compression: momentum and accumulation before top-k",
     "dgc:ratio=0.001", STAGE(make_dgc)},
    {"wangni", 22, kCompressor, "coordinates at random, large ones more likely, without bias",
     "wangni:ratio=0.1", STAGE(make_wangni)},
    {"randomblock", 23, kCompressor, "a block of coordinates drawn alike by all, 32 bits each",
     "randomblock:ratio=0.01", STAGE(make_randomblock)},

    // Low rank.
    {"powersgd", 6, kCompressor, "low-rank factors by one step of power iteration",
     "powersgd:rank=2", STAGE(make_powersgd)},
    {"svd", 30, kCompressor, "each worker's best approximation of a rank", "svd:rank=2",
     STAGE(make_svd)},
    {"unbiased_rank", 31, kCompressor, "a random projection that all workers share, without bias",
     "unbiased_rank:rank=2", STAGE(make_unbiased_rank)},
    {"atomo", 32, kCompressor, "singular vectors drawn without bias", "atomo:rank=2",
     STAGE(make_atomo)},
    {"gradiveq", 33, kCompressor, "slices in principal axes learned from earlier gradients",
     "gradiveq:slice=64,keep=8", STAGE(make_gradiveq)},

    // Decorators.
    {"ef", 101, kDecorator, "error feedback: what was left out is added to the next gradient",
     "topk:ratio=0.01+ef", STAGE(make_error_feedback)},
    {"momentum", 102, kDecorator, "momentum before compression", "vote+momentum:beta=0.9",
     STAGE(make_momentum)},
    {"warmup", 103, kDecorator, "the first steps without compression",
     "powersgd:rank=2+ef+warmup:steps=100", STAGE(make_warmup)},
    {"min", 104, kDecorator, "tensors below a size without compression",
     "topk:ratio=0.01+min:size=1000", STAGE(make_min_size)},
    {"clip", 105, kDecorator, "each worker's gradient clipped to a global norm",
     "powersgd:rank=2+ef+clip:norm=0.4", STAGE(make_clip)},
    {"noise", 106, kDecorator, "normal noise on each worker's gradient, before a vote or a median",
     "none+noise:sigma=1", STAGE(make_noise)},

    // Decorators that are methods: bare, each takes what its paper, or its commonest use, has
    // inside.
    {"doublesqueeze", 110, kDecorator,
     "error feedback in both directions, the down packet compressed too", "sign+doublesqueeze",
     STAGE(make_double_squeeze), "sign"},
    {"diana", 111, kDecorator, "unbiased differences to an estimate that all workers keep",
     "terngrad:bucket=512+diana", STAGE(make_diana), "terngrad:bucket=512"},
    {"ef21", 112, kDecorator, "differences to an estimate in place of error feedback",
     "topk:ratio=0.01+ef21", STAGE(make_ef21), "topk:ratio=0.01"},
    {"onebit_adam", 113, kDecorator, "Adam's momentum compressed once its variance is stable",
     "sign:scale=l2,scope=model+doublesqueeze:unsafe+onebit_adam:steps=100",
     STAGE(make_onebit_adam), "sign:scale=l2,scope=model+doublesqueeze:unsafe"},
};

#undef STAGE

namespace {

const RegistryEntry& find(std::string_view name) {
  for (const auto& entry : kRegistry) {
    if (entry.name == name) return entry;
  }
  std::vector<std::string> known;
  for (const auto& entry : kRegistry) known.emplace_back(entry.name);
  throw UsageError(unknown_name("compressor", name, std::move(known)));
}

// A compressor behind a sparse one codes its values, as in topk+sign.
void chain(std::string_view spec, std::string_view name, Compressor& sparse,
           std::unique_ptr<Compressor> coder) {
  auto* values = dynamic_cast<SparseCompressor*>(&sparse);
  check<UsageError>(
      values != nullptr,
      "compressor '{}': expected a sparse stage right before {}, which codes its values; got {}",
      spec, name, sparse.spec());
  auto* gather = dynamic_cast<GatherCompressor*>(coder.get());
  check<UsageError>(gather != nullptr && gather->traits(0).phases == 1,
                    "compressor '{}': {} cannot code values: its packets are added up or voted on, "
                    "but each worker chooses other coordinates",
                    spec, name);
  check<UsageError>(gather->codes_vectors(),
                    "compressor '{}': {} cannot code values: it factors matrices, but the chosen "
                    "values are a vector",
                    spec, name);
  check<UsageError>(!gather->traits(0).whole_model || sparse.traits(0).whole_model,
                    "compressor '{}': {} cannot code values: it has one norm for the model, but "
                    "{} sends a model in parts",
                    spec, name, sparse.spec());
  static_cast<void>(coder.release());
  values->code_values(std::unique_ptr<GatherCompressor>(gather));
}

}  // namespace

std::span<const RegistryEntry> compressor_registry() {
  return kRegistry;
}

std::unique_ptr<Compressor> make_compressor(std::string_view spec) {
  return make_compressor(spec, [](std::unique_ptr<Compressor> stage, bool) { return stage; });
}

std::unique_ptr<Compressor> make_compressor(std::string_view spec, WrapStage wrap) {
  std::unique_ptr<Compressor> made;
  bool wrapped = false, decorator = false;
  for (const auto& stage : Spec::parse(spec).stages) {
    const auto& entry = find(stage.name);
    if (made == nullptr && !entry.bare.empty()) {
      made = make_compressor(entry.bare, wrap);
      wrapped = true;
    }
    check<UsageError>(made != nullptr || !entry.decorator,
                      "compressor '{}': expected a compressor before {}; write e.g. {}", spec,
                      entry.name, entry.example);
    Options options("compressor", stage);
    if (made != nullptr && !entry.decorator) {
      auto coder = entry.make(entry.number, options, nullptr);
      options.finish();
      chain(spec, entry.name, *made, std::move(coder));
      continue;
    }
    if (made != nullptr && !wrapped) made = wrap(std::move(made), decorator);
    made = entry.make(entry.number, options, std::move(made));
    options.finish();
    wrapped = false;
    decorator = entry.decorator;
  }
  return wrapped ? std::move(made) : wrap(std::move(made), decorator);
}

}  // namespace terse
