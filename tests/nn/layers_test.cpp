#include "tersegrad/nn/layers.hpp"
#include "tersegrad/nn/language_model.hpp"
#include "tersegrad/nn/resnet.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/testing/check_gradient.hpp"

namespace terse::nn {
namespace {

// The number of parameters that a layer constructs. Each parameter takes one stream from Init.
std::int64_t constructed(const std::function<std::unique_ptr<Module>(Init&)>& make,
                         std::unique_ptr<Module>& layer) {
  Init init(1), probe(1);
  layer = make(init);
  const std::uint32_t next = init.next().next();
  for (std::int64_t n = 0; n < 1000; ++n) {
    if (probe.next().next() == next) return n;
  }
  return -1;
}

using Make = std::function<std::unique_ptr<Module>(Init&)>;
const std::vector<std::pair<std::string, Make>>& layers() {
  static const std::vector<std::pair<std::string, Make>> all = {
      {"Linear",
       [](Init& i) { return std::make_unique<Linear>(LinearOptions{.in = 3, .out = 2}, i); }},
      {"Linear without bias",
       [](Init& i) {
         return std::make_unique<Linear>(LinearOptions{.in = 3, .out = 2, .bias = false}, i);
       }},
      {"Conv2d",
       [](Init& i) {
         return std::make_unique<Conv2d>(Conv2dOptions{.in = 1, .out = 2, .kernel = 3}, i);
       }},
      {"MaxPool2d", [](Init&) { return std::make_unique<MaxPool2d>(PoolOptions{}); }},
      {"AvgPool2d", [](Init&) { return std::make_unique<AvgPool2d>(PoolOptions{}); }},
      {"GlobalAvgPool2d", [](Init&) { return std::make_unique<GlobalAvgPool2d>(); }},
      {"BatchNorm2d",
       [](Init& i) { return std::make_unique<BatchNorm2d>(BatchNorm2dOptions{.channels = 3}, i); }},
      {"LayerNorm",
       [](Init& i) { return std::make_unique<LayerNorm>(LayerNormOptions{.features = 3}, i); }},
      {"Gelu", [](Init&) { return std::make_unique<Gelu>(); }},
      {"Embedding",
       [](Init& i) {
         return std::make_unique<Embedding>(EmbeddingOptions{.tokens = 5, .features = 3}, i);
       }},
      {"Lstm",
       [](Init& i) {
         return std::make_unique<Lstm>(
             LstmOptions{.in = 3, .hidden = 4, .layers = 3, .dropout = 0.5}, i);
       }},
      {"LstmCell",
       [](Init& i) {
         return std::make_unique<LstmCell>(LstmCell::Sizes{.in = 3, .hidden = 4}, i);
       }},
      {"BasicBlock", [](Init& i) { return std::make_unique<BasicBlock>(3, 4, 2, i); }},
      {"LanguageModel",
       [](Init& i) {
         return std::make_unique<LanguageModel>(
             LanguageModelOptions{.vocabulary = 9, .embedding = 4, .hidden = 4}, i);
       }},
      {"LanguageModel, not tied",
       [](Init& i) {
         return std::make_unique<LanguageModel>(
             LanguageModelOptions{.vocabulary = 9, .embedding = 3, .hidden = 4, .tied = false}, i);
       }},
      {"ReLU", [](Init&) { return std::make_unique<ReLU>(); }},
      {"Tanh", [](Init&) { return std::make_unique<Tanh>(); }},
      {"Sigmoid", [](Init&) { return std::make_unique<Sigmoid>(); }},
      {"Flatten", [](Init&) { return std::make_unique<Flatten>(); }},
      {"Dropout", [](Init&) { return std::make_unique<Dropout>(0.5); }},
      {"Sequential",
       [](Init& i) {
         auto s = std::make_unique<Sequential>();
         s->add<Linear>(LinearOptions{.in = 3, .out = 2}, i)
             .add<ReLU>()
             .add<Linear>(LinearOptions{.in = 2, .out = 2}, i);
         return s;
       }},
  };
  return all;
}

TEST(EveryLayer, ListsTheParametersThatItConstructs) {
  for (const auto& [name, make] : layers()) {
    std::unique_ptr<Module> layer;
    const auto made = constructed(make, layer);
    const auto listed = parameters(*layer);
    EXPECT_EQ(static_cast<std::int64_t>(listed.size()), made) << name;
    std::set<std::string> names;
    for (const auto& [parameter_name, tensor] : listed) {
      names.insert(parameter_name);
      EXPECT_TRUE(tensor.requires_grad()) << name;
    }
    EXPECT_EQ(names.size(), listed.size()) << name << ": two parameters share a name";
    EXPECT_FALSE(layer->describe().empty());
  }
}

TEST(EveryLayer, SwitchesWithItsParts) {
  for (const auto& [name, make] : layers()) {
    std::unique_ptr<Module> layer;
    constructed(make, layer);
    EXPECT_TRUE(layer->training());
    layer->eval();
    struct Look final : Visitor {
      void module(const std::string&, Module& m) override { any = any || m.training(); }
      bool any = false;
    } look;
    layer->visit(look);
    EXPECT_FALSE(look.any || layer->training()) << name;
  }
}

TEST(Linear, FirstValuesAreUniformWithinOneOverRootFanIn) {
  Init init(3);
  const Linear layer({.in = 400, .out = 500}, init);
  const auto w = layer.weight.tensor().data();
  double squares = 0;
  float largest = 0;
  for (const float v : w) {
    squares += v * v;
    largest = std::max(largest, std::abs(v));
  }
  const double bound = 1 / std::sqrt(400.0);
  EXPECT_LE(largest, bound);
  EXPECT_GT(largest, 0.999 * bound);
  EXPECT_NEAR(squares / static_cast<double>(w.size()), bound * bound / 3, 1e-5);
}

TEST(Init, TheSeedDecides) {
  Init a(1), b(1), c(2);
  const Linear x({.in = 5, .out = 5}, a), y({.in = 5, .out = 5}, b), z({.in = 5, .out = 5}, c);
  EXPECT_TRUE(std::ranges::equal(x.weight.tensor().data(), y.weight.tensor().data()));
  EXPECT_FALSE(std::ranges::equal(x.weight.tensor().data(), z.weight.tensor().data()));
}

TEST(Dropout, ScalesInTrainingAndDoesNothingInEvaluation) {
  Dropout dropout(0.25);
  dropout.seed(1, 0, 0);
  const Tensor x = Tensor::full({100, 100}, 1);
  const Tensor y = dropout(x), again = dropout(x);
  int zeros = 0;
  for (const float v : y.data()) {
    zeros += v == 0;
    EXPECT_TRUE(v == 0 || std::abs(v - 4.0F / 3) < 1e-6F);
  }
  EXPECT_NEAR(zeros, 2500, 5 * std::sqrt(10'000 * 0.25 * 0.75));
  EXPECT_FALSE(std::ranges::equal(y.data(), again.data()));
  dropout.seed(1, 0, 0);
  EXPECT_TRUE(std::ranges::equal(y.data(), dropout(x).data()));
  dropout.seed(1, 1, 0);
  EXPECT_FALSE(std::ranges::equal(y.data(), dropout(x).data()));
  dropout.eval();
  EXPECT_TRUE(dropout(x).same_storage(x));
  EXPECT_THROW(Dropout(1.0), Error);
}

}  // namespace
}  // namespace terse::nn
