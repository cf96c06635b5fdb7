// A language model of LSTM layers: what is the next token, given all before it?
//
//   ids -> encoder (embedding) -> dropout -> rnn (LSTM) -> dropout -> decoder (linear) -> loss
//
// The decoder's weights may be those of the encoder (Press & Wolf 2017). PowerSGD's configuration
// is lstm:layers=3,hidden=650,dropout=0.4 with tied weights: 28 949 319 parameters for 28 869
// words.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "tersegrad/nn/recurrent.hpp"

namespace terse::nn {

struct LanguageModelOptions {
  std::int64_t vocabulary;
  std::int64_t embedding = 200, hidden = 200, layers = 2;
  double dropout = 0.2;  // of embeddings, between layers and of the last layer's result
  bool tied = true;      // needs embedding == hidden
};

// A stretch of text: ids and labels (the tokens that follow) are (T, N), time first.
struct TextStretch {
  std::int64_t time, batch;
  std::span<const std::int32_t> ids, labels;
};

class LanguageModel final : public Module {
 public:
  LanguageModel(const LanguageModelOptions& options, Init& init);

  // Cross-entropy of the labels, in nats. `states` is where the text before it left the layers
  // (empty: nowhere); it becomes that after this stretch, detached: gradients go no further back.
  Tensor loss(const TextStretch& text, LstmStates& states, Reduction reduction = Reduction::mean);

  void visit(Visitor& visitor) override;
  std::string describe() const override { return "LanguageModel"; }

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
