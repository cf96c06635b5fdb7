// A language model of LSTM layers: predicts the next token from all tokens before it.
//
//   ids -> encoder (embedding) -> dropout -> rnn (LSTM) -> dropout -> decoder (linear) -> loss
//
// The decoder may share the weights of the encoder (Press & Wolf 2017). The configuration of the
// PowerSGD paper is lstm:layers=3,hidden=650,dropout=0.4 with tied weights: 28 949 319 parameters
// for 28 869 words.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "tersegrad/nn/recurrent.hpp"

namespace terse::nn {

struct LanguageModelOptions {
  std::int64_t vocabulary;
  std::int64_t embedding = 200, hidden = 200, layers = 2;
  double dropout = 0.2;  // on embeddings, between layers and on the last layer's output
  bool tied = true;      // share the encoder's weights; needs embedding == hidden
};

// A contiguous range of text: ids, and labels (the tokens that follow), both (T, N), time first.
struct TextStretch {
  std::int64_t time, batch;
  std::span<const std::int32_t> ids, labels;
};

class LanguageModel final : public Module {
 public:
  // Throws UsageError if the weights are tied and embedding != hidden.
  LanguageModel(const LanguageModelOptions& options, Init& init);

  // Cross-entropy of the labels, in nats. On entry `states` is the state of the layers after the
  // text before; empty means zero. On return it is the state after this text, detached, so
  // gradients do not flow back into earlier text.
  Tensor loss(const TextStretch& text, LstmStates& states, Reduction reduction = Reduction::mean);

  void visit(Visitor& visitor) override;
  std::string describe() const override { return "LanguageModel"; }
  const LanguageModelOptions& options() const { return options_; }

 private:
  const Parameter& decoder_weight() const {
    return decoder_weight_.defined() ? decoder_weight_ : encoder_.weight;
  }

  LanguageModelOptions options_;
  Embedding encoder_;
  Dropout input_dropout_;
  Lstm rnn_;
  Dropout output_dropout_;
  Parameter decoder_weight_;  // (vocabulary, hidden); undefined if tied
  Parameter decoder_bias_;    // (vocabulary)
};

}  // namespace terse::nn
