// Every operator against PyTorch: results and gradients (tests/golden/operators.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tersegrad/core/kernels/conv/conv2d.hpp"
#include "tersegrad/core/ops.hpp"

namespace terse {
namespace {

using nlohmann::json;
using Inputs = std::span<const Tensor>;
using Results = std::vector<Tensor>;
// Returns the results. Backward starts from every result that requires a gradient.
using Operator = std::function<Results(Inputs, const json& options)>;

// The same pseudo-random numbers as in operators.py.
float number(std::uint32_t stream, std::uint32_t j) {
  std::uint32_t mixed = (j + 1) * 2654435761U + (stream + 1) * 40503U * 65537U;
  mixed = (mixed ^ (mixed >> 15)) * 2246822519U;
  return static_cast<float>((mixed ^ (mixed >> 13)) >> 16) / 32768.0F - 1.0F;
}

Tensor numbers(std::uint32_t stream, const Shape& shape) {
  Tensor t = Tensor::empty(shape);
  std::uint32_t j = 0;
  for (auto& value : t.data_mut()) value = number(stream, j++);
  return t;
}

Tensor positive(const Tensor& x) {
  return add_scalar(square(x), 0.5F);
}
Tensor third(Inputs in) {
  return in.size() > 2 ? in[2] : Tensor();
}
PoolOptions pool_options(const json& o) {
  return {.kernel = o["kernel"], .stride = o["stride"], .padding = o["padding"]};
}
Reduction reduction_of(const json& o) {
  return o["reduction"] == "sum" ? Reduction::sum : Reduction::mean;
}
std::vector<std::int32_t> integers(const json& list) {
  return list.get<std::vector<std::int32_t>>();
}

Results batch_norm(Inputs in, const json& o, double eps = 1e-5) {
  const Tensor mean = numbers(5, in[1].shape());
  const Tensor variance = positive(numbers(6, in[1].shape()));
  const Tensor y = batch_norm2d(in[0], in[1], in[2],
                                {.running_mean = mean,
                                 .running_variance = variance,
                                 .training = o["training"],
                                 .eps = eps,
                                 .relu = o["relu"],
                                 .residual = in.size() > 3 ? in[3] : Tensor()});
  return {y, mean, variance};
}

const std::map<std::string, Operator>& operators() {
  static const std::map<std::string, Operator> all = {
      {"add", [](Inputs in, const json&) { return Results{in[0] + in[1]}; }},
      {"subtract", [](Inputs in, const json&) { return Results{in[0] - in[1]}; }},
      {"multiply", [](Inputs in, const json&) { return Results{in[0] * in[1]}; }},
      {"divide", [](Inputs in, const json&) { return Results{in[0] / positive(in[1])}; }},
      {"exp", [](Inputs in, const json&) { return Results{exp(in[0])}; }},
      {"log", [](Inputs in, const json&) { return Results{log(positive(in[0]))}; }},
      {"sqrt", [](Inputs in, const json&) { return Results{sqrt(positive(in[0]))}; }},
      {"relu", [](Inputs in, const json&) { return Results{relu(in[0])}; }},
      {"tanh", [](Inputs in, const json&) { return Results{tanh(in[0])}; }},
      {"sigmoid", [](Inputs in, const json&) { return Results{sigmoid(in[0])}; }},
      {"gelu", [](Inputs in, const json&) { return Results{gelu(in[0])}; }},
      {"sum_1", [](Inputs in, const json&) { return Results{sum(in[0], 1)}; }},
      {"mean_0", [](Inputs in, const json&) { return Results{mean(in[0], 0)}; }},
      {"max_1", [](Inputs in, const json&) { return Results{max(in[0], 1)}; }},
      {"slice", [](Inputs in, const json&) { return Results{slice(in[0], 2, 5)}; }},
      {"concat_1", [](Inputs in, const json&) { return Results{concat(in, 1)}; }},
      {"matmul", [](Inputs in, const json&) { return Results{matmul(in[0], in[1])}; }},
      {"matmul_tt",
       [](Inputs in, const json&) {
         return Results{matmul(in[0], in[1], Transpose::yes, Transpose::yes)};
       }},
      {"linear", [](Inputs in, const json&) { return Results{linear(in[0], in[1], in[2])}; }},
      {"conv2d",
       [](Inputs in, const json& o) {
         return Results{conv2d(in[0], in[1], third(in),
                               {.stride = o["stride"],
                                .padding = o["padding"],
                                .groups = o.value("groups", std::int64_t{1})})};
       }},
      {"max_pool2d",
       [](Inputs in, const json& o) { return Results{max_pool2d(in[0], pool_options(o))}; }},
      {"avg_pool2d",
       [](Inputs in, const json& o) { return Results{avg_pool2d(in[0], pool_options(o))}; }},
      {"global_avg_pool2d",
       [](Inputs in, const json&) { return Results{global_avg_pool2d(in[0])}; }},
      {"batch_norm2d", [](Inputs in, const json& o) { return batch_norm(in, o); }},
      {"layer_norm",
       [](Inputs in, const json&) { return Results{layer_norm(in[0], in[1], in[2])}; }},
      {"softmax", [](Inputs in, const json&) { return Results{softmax(in[0])}; }},
      {"log_softmax", [](Inputs in, const json&) { return Results{log_softmax(in[0])}; }},
      {"cross_entropy",
       [](Inputs in, const json& o) {
         return Results{cross_entropy(in[0], integers(o["labels"]), reduction_of(o))};
       }},
      {"linear_cross_entropy",
       [](Inputs in, const json& o) {
         return Results{
             linear_cross_entropy(in[0], in[1], in[2], integers(o["labels"]), reduction_of(o))};
       }},
      {"embedding",
       [](Inputs in, const json& o) { return Results{embedding(in[0], integers(o["ids"]))}; }},
      {"tied",
       [](Inputs in, const json& o) {
         const Tensor h = tanh(matmul(embedding(in[0], integers(o["ids"])), in[1]));
         return Results{linear(h, in[0], Tensor())};
       }},
      {"lstm",
       [](Inputs in, const json&) {
         const auto r = lstm(in[0], in[1], in[2], {in[3], in[4], in[5], in[6]});
         return Results{r.y, r.h, r.c};
       }},
      {"lstm_cell",
       [](Inputs in, const json&) {
         const auto r = lstm_cell(in[0], in[1], in[2], {in[3], in[4], in[5], in[6]});
         return Results{r.h, r.c};
       }},
  };
  return all;
}

std::vector<json> cases() {
  std::ifstream file(TERSE_SOURCE_DIR "/tests/golden/operators.json");
  return json::parse(file).get<std::vector<json>>();
}

// max |a - b| / max |b|
double distance(const Tensor& a, const json& b) {
  const auto exact = b.get<std::vector<double>>();
  if (exact.size() != a.data().size()) return INFINITY;
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(a.data()[i]) - exact[i]));
    largest = std::max(largest, std::abs(exact[i]));
  }
  return worst / largest;
}

// The largest distance over the results and gradients of a case.
double distance(const Operator& f, const json& golden) {
  std::vector<Tensor> inputs;
  for (const auto& sizes : golden["shapes"]) {
    const auto list = sizes.get<std::vector<std::int64_t>>();
    inputs.push_back(numbers(static_cast<std::uint32_t>(inputs.size()), Shape(list)));
    inputs.back().set_requires_grad();
  }
  const Results results = f(inputs, golden["options"]);
  double worst = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    worst = std::max(worst, distance(results[i], golden["results"][i]));
    if (!results[i].requires_grad()) continue;
    results[i].backward(numbers(static_cast<std::uint32_t>(9 + i), results[i].shape()));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    worst = std::max(worst, distance(inputs[i].grad(), golden["gradients"][i]));
  }
  return worst;
}

class Golden : public testing::TestWithParam<json> {};

TEST_P(Golden, OperatorEqualsPyTorch) {
  const auto& golden = GetParam();
  const auto& f = operators().at(golden["operator"]);
  EXPECT_LE(distance(f, golden), golden["operator"] == "conv2d" ? 3e-5 : 1e-5);
  if (golden["operator"] != "conv2d") return;
  kernels::set_exact_convolution(true);
  EXPECT_LE(distance(f, golden), 1e-5);
  kernels::set_exact_convolution(false);
}

INSTANTIATE_TEST_SUITE_P(Operators, Golden, testing::ValuesIn(cases()), [](const auto& c) {
  return c.param["operator"].template get<std::string>() + "_" + std::to_string(c.index);
});

TEST(GoldenFile, HasEveryOperatorOfTheTable) {
  std::map<std::string, int> seen;
  for (const auto& golden : cases()) ++seen[golden["operator"]];
  for (const auto& [name, f] : operators()) EXPECT_GT(seen[name], 0) << name;
}

// ---- the comparison itself: wrong operators must be detected ------------------------------------

struct Mutant {
  const char* name;
  const char* of;  // the operator that it replaces
  Operator f;
};

// Mean and biased variance of each channel of x (N, C, H, W).
std::array<Tensor, 2> channel_moments(const Tensor& input) {
  const std::int64_t n = input.dim(0), c = input.dim(1), pixels = input.dim(2) * input.dim(3);
  const Tensor x = reshape(input.detach(), {n, c, pixels});
  const Tensor m = mean(mean(x, 2), 0);
  return {m, mean(mean(square(x - reshape(m, {c, 1})), 2), 0)};
}

std::vector<Mutant> mutants() {
  const auto swapped = [](const Tensor& w, std::int64_t a, std::int64_t b) {
    const std::int64_t h = w.dim(0) / 4;
    std::vector<Tensor> gates;
    for (std::int64_t g = 0; g < 4; ++g) {
      const std::int64_t from = g == a ? b : g == b ? a : g;
      gates.push_back(slice(w, from * h, (from + 1) * h));
    }
    return concat(gates, 0);
  };
  return {
      {"GELU by its tanh approximation", "gelu",
       [](Inputs in, const json&) {
         const Tensor cube = in[0] * square(in[0]);
         const Tensor inner = scale(in[0] + scale(cube, 0.044715F), 0.7978845608F);
         return Results{scale(in[0] * add_scalar(tanh(inner), 1), 0.5F)};
       }},
      {"ReLU with a leak of 1e-4", "relu",
       [](Inputs in, const json&) {
         return Results{relu(in[0]) - scale(relu(negate(in[0])), 1e-4F)};
       }},
      {"a convolution whose kernel is turned by 180 degrees", "conv2d",
       [](Inputs in, const json& o) {
         Tensor w = in[1].clone();
         const auto plane = static_cast<std::size_t>(w.dim(2) * w.dim(3));
         for (std::size_t i = 0; i < w.data().size(); i += plane) {
           std::ranges::reverse(w.data_mut().subspan(i, plane));
         }
         return Results{conv2d(in[0], w + scale(in[1], 0), third(in),
                               {.stride = o["stride"],
                                .padding = o["padding"],
                                .groups = o.value("groups", std::int64_t{1})})};
       }},
      {"an average pool that does not count its padding", "avg_pool2d",
       [](Inputs in, const json& o) {
         const Tensor ones = Tensor::full(in[0].shape(), 1);
         return Results{avg_pool2d(in[0], pool_options(o)) / avg_pool2d(ones, pool_options(o))};
       }},
      {"batch normalisation with a larger eps", "batch_norm2d",
       [](Inputs in, const json& o) { return batch_norm(in, o, 1e-4); }},
      {"batch normalisation with a biased running variance", "batch_norm2d",
       [](Inputs in, const json& o) {
         Results r = batch_norm(in, o);
         if (o["training"]) {
           const Tensor before = positive(numbers(6, in[1].shape()));
           r[2] = scale(before, 0.9F) + scale(channel_moments(in[0])[1], 0.1F);
         }
         return r;
       }},
      {"batch normalisation that takes its statistics for constants", "batch_norm2d",
       [](Inputs in, const json& o) {
         Results r = batch_norm(in, o);
         if (o["training"]) {
           const auto now = channel_moments(in[0]);
           r[0] = batch_norm2d(in[0], in[1], in[2],
                               {.running_mean = now[0],
                                .running_variance = now[1],
                                .training = false,
                                .relu = o["relu"],
                                .residual = in.size() > 3 ? in[3] : Tensor()});
         }
         return r;
       }},
      {"cross-entropy with the other reduction", "cross_entropy",
       [](Inputs in, const json& o) {
         const auto other = reduction_of(o) == Reduction::sum ? Reduction::mean : Reduction::sum;
         return Results{cross_entropy(in[0], integers(o["labels"]), other)};
       }},
      {"an embedding that forgets repeated tokens", "embedding",
       [](Inputs in, const json& o) {
         auto ids = integers(o["ids"]);
         std::vector<Tensor> rows;
         std::vector<bool> seen(11);
         for (const auto id : ids) {
           const Tensor row = slice(in[0], id, id + 1);
           rows.push_back(seen[static_cast<std::size_t>(id)] ? row.detach() : row);
           seen[static_cast<std::size_t>(id)] = true;
         }
         return Results{concat(rows, 0)};
       }},
      {"tied weights of which one use has no gradient", "tied",
       [](Inputs in, const json& o) {
         const Tensor h = tanh(matmul(embedding(in[0].detach(), integers(o["ids"])), in[1]));
         return Results{linear(h, in[0], Tensor())};
       }},
      {"an LSTM whose cell and output gates change places", "lstm",
       [swapped](Inputs in, const json&) {
         const auto r = lstm(in[0], in[1], in[2],
                             {swapped(in[3], 2, 3), swapped(in[4], 2, 3), swapped(in[5], 2, 3),
                              swapped(in[6], 2, 3)});
         return Results{r.y, r.h, r.c};
       }},
      {"an LSTM with one bias only", "lstm",
       [](Inputs in, const json&) {
         const auto r = lstm(in[0], in[1], in[2], {in[3], in[4], in[5], scale(in[6], 0)});
         return Results{r.y, r.h, r.c};
       }},
      {"an LSTM that cuts its initial state off", "lstm",
       [](Inputs in, const json&) {
         const auto r = lstm(in[0], in[1] * Tensor::scalar(1), in[2].detach() + scale(in[2], 0),
                             {in[3], in[4], in[5], in[6]});
         return Results{r.y, r.h, r.c};
       }},
      {"layer normalisation with a larger eps", "layer_norm",
       [](Inputs in, const json&) { return Results{layer_norm(in[0], in[1], in[2], 1e-4)}; }},
  };
}

TEST(GoldenComparison, CatchesWhatIsNearlyRight) {
  const auto goldens = cases();
  for (const auto& mutant : mutants()) {
    int caught = 0, tried = 0;
    for (const auto& golden : goldens) {
      if (golden["operator"] != mutant.of) continue;
      ++tried;
      caught += !(distance(mutant.f, golden) <= 3e-5);
    }
    EXPECT_GT(tried, 0) << mutant.name;
    EXPECT_GE(caught, 1) << mutant.name;
  }
}

}  // namespace
}  // namespace terse
