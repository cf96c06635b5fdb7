#include "tersegrad/nn/recurrent.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "tersegrad/core/archive.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::nn {
namespace {

real hidden_bound(std::int64_t hidden) {
  return static_cast<real>(1 / std::sqrt(static_cast<double>(hidden)));
}

}  // namespace

Embedding::Embedding(const EmbeddingOptions& o, Init& init)
    : weight(o.bound > 0 ? Parameter({o.tokens, o.features}, static_cast<real>(o.bound), init)
                         : Parameter::normal({o.tokens, o.features}, init)) {}

std::string Embedding::describe() const {
  const Shape& shape = weight.tensor().shape();
  return fmt::format("Embedding({}, {})", shape[0], shape[1]);
}

LstmStates detach(const LstmStates& states) {
  LstmStates detached;
  for (const auto& [h, c] : states) detached.push_back({h.detach(), c.detach()});
  return detached;
}

void serialize(LstmStates& states, std::int64_t batch, Archive& archive) {
  std::uint64_t layers = states.size();
  archive.item("layers", layers);
  if (archive.loading()) states.clear();
  for (std::uint64_t i = 0; i < layers; ++i) {
    if (archive.loading()) states.emplace_back();
    for (auto& [name, tensor] : {std::pair<const char*, Tensor*>("h", &states[i].h),
                                 std::pair<const char*, Tensor*>("c", &states[i].c)}) {
      std::vector<real> values;
      if (!archive.loading()) values.assign(tensor->data().begin(), tensor->data().end());
      archive.item(name, values);
      if (!archive.loading()) continue;
      check(batch > 0 && std::ssize(values) % batch == 0,
            "LSTM state {}: expected a multiple of {} values; got {}", name, batch, values.size());
      *tensor = Tensor::from({batch, std::ssize(values) / batch}, values);
    }
  }
}

Lstm::Lstm(const LstmOptions& o, Init& init) : options_(o) {
  check(o.layers >= 1, "Lstm: expected at least one layer; got {}", o.layers);
  const real bound = hidden_bound(o.hidden);
  const std::int64_t gates = 4 * o.hidden;
  for (std::int64_t layer = 0; layer < o.layers; ++layer) {
    const std::int64_t in = layer == 0 ? o.in : o.hidden;
    // Braced initialisation evaluates the members, which draw random numbers, in order.
    layers_.push_back(LayerWeights{.weight_ih = Parameter({gates, in}, bound, init),
                                   .weight_hh = Parameter({gates, o.hidden}, bound, init),
                                   .bias_ih = Parameter({gates}, bound, init),
                                   .bias_hh = Parameter({gates}, bound, init)});
    if (layer + 1 < o.layers) dropouts_.push_back(std::make_unique<Dropout>(o.dropout));
  }
}

Tensor Lstm::forward(const Tensor& x, LstmStates& states) {
  check(states.empty() || states.size() == layers_.size(),
        "Lstm: expected a state for each of {} layers, or none; got {}", layers_.size(),
        states.size());
  states.resize(layers_.size());
  Tensor y = x;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const auto& w = layers_[i];
    auto result =
        lstm(y, states[i].h, states[i].c,
             {.w_ih = w.weight_ih, .w_hh = w.weight_hh, .b_ih = w.bias_ih, .b_hh = w.bias_hh});
    states[i] = {result.h, result.c};
    y = i < dropouts_.size() ? (*dropouts_[i])(result.y) : result.y;
  }
  return output(y);
}

void Lstm::visit(Visitor& visitor) {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    visitor(fmt::format("weight_ih_l{}", i), layers_[i].weight_ih);
    visitor(fmt::format("weight_hh_l{}", i), layers_[i].weight_hh);
    visitor(fmt::format("bias_ih_l{}", i), layers_[i].bias_ih);
    visitor(fmt::format("bias_hh_l{}", i), layers_[i].bias_hh);
    if (i < dropouts_.size()) visitor(fmt::format("dropout_l{}", i), *dropouts_[i]);
  }
}

std::string Lstm::describe() const {
  return fmt::format("Lstm({}, {}, layers {}, dropout {})", options_.in, options_.hidden,
                     options_.layers, options_.dropout);
}

LstmCell::LstmCell(const Sizes& sizes, Init& init)
    : weight_ih({4 * sizes.hidden, sizes.in}, hidden_bound(sizes.hidden), init),
      weight_hh({4 * sizes.hidden, sizes.hidden}, hidden_bound(sizes.hidden), init),
      bias_ih({4 * sizes.hidden}, hidden_bound(sizes.hidden), init),
      bias_hh({4 * sizes.hidden}, hidden_bound(sizes.hidden), init) {}

LstmState LstmCell::forward(const Tensor& x, const LstmState& state) {
  LstmState next =
      lstm_cell(x, state.h, state.c,
                {.w_ih = weight_ih, .w_hh = weight_hh, .b_ih = bias_ih, .b_hh = bias_hh});
  output(next.h);
  return next;
}

void LstmCell::visit(Visitor& visitor) {
  visitor("weight_ih", weight_ih);
  visitor("weight_hh", weight_hh);
  visitor("bias_ih", bias_ih);
  visitor("bias_hh", bias_hh);
}

std::string LstmCell::describe() const {
  const Shape& shape = weight_ih.tensor().shape();
  return fmt::format("LstmCell({}, {})", shape[1], shape[0] / 4);
}

}  // namespace terse::nn
