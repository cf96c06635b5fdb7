#include "tersegrad/nn/language_model.hpp"

#include "tersegrad/core/error.hpp"

namespace terse::nn {
namespace {

constexpr auto kBound = static_cast<real>(0.1);  // bound of initial values of encoder and decoder

const LanguageModelOptions& checked(const LanguageModelOptions& o) {
  check<UsageError>(
      !o.tied || o.embedding == o.hidden,
      "model 'lstm': expected embedding equal to hidden for tied weights; got {} and {}",
      o.embedding, o.hidden);
  return o;
}

}  // namespace

LanguageModel::LanguageModel(const LanguageModelOptions& o, Init& init)
    : options_(checked(o)),
      encoder_(
          {.tokens = o.vocabulary, .features = o.embedding, .bound = static_cast<double>(kBound)},
          init),
      input_dropout_(o.dropout),
      rnn_({.in = o.embedding, .hidden = o.hidden, .layers = o.layers, .dropout = o.dropout}, init),
      output_dropout_(o.dropout),
      decoder_weight_(o.tied ? Parameter() : Parameter({o.vocabulary, o.hidden}, kBound, init)),
      decoder_bias_(Parameter::constant({o.vocabulary}, 0, init)) {}

Tensor LanguageModel::loss(const TextStretch& text, LstmStates& states, Reduction reduction) {
  const std::int64_t tokens = text.time * text.batch;
  const Tensor embedded = input_dropout_(encoder_.forward(text.ids));
  const Tensor y =
      rnn_.forward(reshape(embedded, {text.time, text.batch, options_.embedding}), states);
  states = detach(states);
  return output(linear_cross_entropy(output_dropout_(reshape(y, {tokens, options_.hidden})),
                                     decoder_weight(), decoder_bias_, text.labels, reduction));
}

void LanguageModel::visit(Visitor& visitor) {
  visitor("encoder", encoder_);
  visitor("input_dropout", input_dropout_);
  visitor("rnn", rnn_);
  visitor("output_dropout", output_dropout_);
  visitor("decoder.weight", decoder_weight_);
  if (options_.tied) visitor.tied("decoder.weight", "encoder.weight");
  visitor("decoder.bias", decoder_bias_);
}

}  // namespace terse::nn
