// Layers for sequences: embedding of tokens, LSTM over all time steps, one LSTM step.
//
// Time is the first dimension: x is (T, N, D). The names and the order of the gates (input, forget,
// cell, output) are PyTorch's, and each layer has two bias vectors, as in PyTorch.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tersegrad/nn/layers.hpp"

namespace terse::nn {

struct EmbeddingOptions {
  std::int64_t tokens, features;
  // Initial values are uniform in ±bound, or N(0, 1) if bound is 0.
  double bound = 0;
};
// n token ids -> the rows of weight for these ids, (n, features). The gradient holds
// only these rows.
class Embedding final : public Module {
 public:
  Embedding(const EmbeddingOptions& options, Init& init);
  Tensor forward(std::span<const std::int32_t> ids) { return output(embedding(weight, ids)); }
  void visit(Visitor& visitor) override { visitor("weight", weight); }
  std::string describe() const override;

  Parameter weight;  // (tokens, features)
};

struct LstmOptions {
  std::int64_t in, hidden;
  std::int64_t layers = 1;
  double dropout = 0;  // between layers, in training
};

// The states h and c (N, hidden) of every layer; empty means zeros.
using LstmStates = std::vector<LstmState>;
// The same states outside the graph, for truncated back-propagation.
LstmStates detach(const LstmStates& states);
// Saves and loads detached states of `batch` rows.
void serialize(LstmStates& states, std::int64_t batch, Archive& archive);

// `layers` stacked LSTM layers (Hochreiter & Schmidhuber 1997, with the forget gate of Gers
// et al. 2000).
class Lstm final : public Module {
 public:
  Lstm(const LstmOptions& options, Init& init);
  // x (T, N, in), T >= 1 -> (T, N, hidden). `states` is the initial state of the layers and
  // becomes their state after the last step. Throws Error if `states` is neither empty nor one
  // state for each layer.
  Tensor forward(const Tensor& x, LstmStates& states);
  void visit(Visitor& visitor) override;
  std::string describe() const override;

  struct LayerWeights {
    Parameter weight_ih;  // (4 hidden, in)
    Parameter weight_hh;  // (4 hidden, hidden)
    Parameter bias_ih, bias_hh;
  };

 private:
  LstmOptions options_;
  std::vector<LayerWeights> layers_;
  std::vector<std::unique_ptr<Dropout>> dropouts_;  // after every layer but the last
};

// One step of one LSTM layer: x (N, in), state (N, hidden) -> the next state.
class LstmCell final : public Module {
 public:
  struct Sizes {
    std::int64_t in, hidden;
  };
  LstmCell(const Sizes& sizes, Init& init);
  LstmState forward(const Tensor& x, const LstmState& state);
  void visit(Visitor& visitor) override;
  std::string describe() const override;

  Parameter weight_ih, weight_hh, bias_ih, bias_hh;
};

}  // namespace terse::nn
