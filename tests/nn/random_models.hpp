// Models with random weights, and their results, for programs that write them for other frameworks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tersegrad/core/ops.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/nn/language_model.hpp"
#include "tersegrad/nn/module.hpp"

namespace terse::nn {

class Random {
 public:
  explicit Random(std::uint64_t seed) : random_(seed, {}) {}
  Tensor normal(const Shape& shape, double mean = 0, double deviation = 1) {
    Tensor values = Tensor::empty(shape);
    for (auto& v : values.data_mut()) v = static_cast<real>(mean + deviation * random_.normal());
    return values;
  }
  std::vector<std::int32_t> ids(std::int64_t count, std::int64_t vocabulary) {
    std::vector<std::int32_t> list;
    for (std::int64_t i = 0; i < count; ++i) {
      list.push_back(
          static_cast<std::int32_t>(random_.below(static_cast<std::uint64_t>(vocabulary))));
    }
    return list;
  }

 private:
  Philox random_;
};

// Moves vectors, which are initially constant in BatchNorm2d and in the decoder, away from 0 and 1.
inline void move_vectors(Module& model, Random& random) {
  for (const auto& [name, tensor] : parameters(model)) {
    if (tensor.rank() != 1) continue;
    const Tensor noise = random.normal(tensor.shape(), 0, 0.2);
    Tensor values = tensor;
    for (std::size_t i = 0; i < noise.data().size(); ++i) values.data_mut()[i] += noise.data()[i];
  }
}

// Computes the logits of a language model, which itself offers only its loss. The object must
// outlive the model's last call.
class LanguageModelLogits {
 public:
  explicit LanguageModelLogits(LanguageModel& model) : model_(model) {
    model.visit(parts_);
    parts_.decoder_input->on_output = [this](const Tensor& y) { decoder_input_ = y; };
  }
  LanguageModelLogits(const LanguageModelLogits&) = delete;

  // ids (time, batch) -> logits (time, batch, vocabulary). Updates `states` as the model's loss.
  Tensor operator()(std::int64_t time, std::int64_t batch, std::span<const std::int32_t> ids,
                    LstmStates& states) {
    model_.loss({.time = time, .batch = batch, .ids = ids, .labels = ids}, states);
    const Tensor& weight = model_.options().tied ? parts_.encoder_weight : parts_.decoder_weight;
    return reshape(linear(decoder_input_, weight, parts_.decoder_bias),
                   {time, batch, model_.options().vocabulary});
  }

 private:
  struct Parts final : Visitor {
    void parameter(const std::string& name, Parameter& p) override {
      if (name == "encoder.weight") encoder_weight = p.tensor();
      if (name == "decoder.weight") decoder_weight = p.tensor();
      if (name == "decoder.bias") decoder_bias = p.tensor();
    }
    void module(const std::string& name, Module& part) override {
      if (name == "output_dropout") decoder_input = &part;
    }
    Tensor encoder_weight, decoder_weight, decoder_bias;
    Module* decoder_input = nullptr;
  };
  LanguageModel& model_;
  Parts parts_;
  Tensor decoder_input_;
};

}  // namespace terse::nn
