#include "tests/core/gradient_cases.hpp"

#include <string>
#include <vector>

#include "tersegrad/core/ops.hpp"
#include "tersegrad/core/testing/check_gradient.hpp"

namespace terse {
namespace {

using Inputs = std::span<const Tensor>;

Tensor positive(const Tensor& x) {
  return add_scalar(square(x), 0.5);
}

std::vector<Case> elementwise_cases() {
  std::vector<Case> cases;
  const std::vector<std::pair<std::string, std::vector<Shape>>> pairs = {
      {"same", {{3, 5}, {3, 5}}},          {"row", {{3, 5}, {5}}},   {"column", {{3, 5}, {3, 1}}},
      {"both", {{3, 1}, {1, 5}}},          {"scalar", {{}, {2, 3}}}, {"one", {{1}, {1}}},
      {"deep", {{2, 1, 3, 1}, {4, 1, 2}}}, {"empty", {{0, 3}, {3}}},
  };
  for (const auto& [kind, shapes] : pairs) {
    cases.push_back({"add_" + kind, shapes, [](Inputs in) { return in[0] + in[1]; }});
    cases.push_back({"subtract_" + kind, shapes, [](Inputs in) { return in[0] - in[1]; }});
    cases.push_back({"multiply_" + kind, shapes, [](Inputs in) { return in[0] * in[1]; }});
    cases.push_back({"divide_" + kind, shapes, [](Inputs in) { return in[0] / positive(in[1]); }});
  }
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{7}, Shape{3, 5}, Shape{0, 4}}) {
    const auto add_unary = [&](const char* name, Tensor (*f)(const Tensor&)) {
      cases.push_back({name + shape.to_string(), {shape}, [f](Inputs in) { return f(in[0]); }});
    };
    add_unary("relu", relu);
    add_unary("tanh", tanh);
    add_unary("sigmoid", sigmoid);
    add_unary("gelu", gelu);
    add_unary("exp", exp);
    add_unary("square", square);
    add_unary("negate", negate);
    add_unary("log", [](const Tensor& x) { return log(positive(x)); });
    add_unary("sqrt", [](const Tensor& x) { return sqrt(positive(x)); });
    add_unary("scale", [](const Tensor& x) { return scale(x, -2.5); });
    add_unary("add_scalar", [](const Tensor& x) { return add_scalar(x, 3); });
  }
  return cases;
}

std::vector<Case> shape_cases() {
  return {
      {"broadcast_to",
       {{3, 1}},
       [](Inputs in) {
         return broadcast_to(in[0], {2, 3, 4});
       }},
      {"broadcast_to_empty", {{1}}, [](Inputs in) { return broadcast_to(in[0], {2}); }},
      {"reshape",
       {{2, 6}},
       [](Inputs in) {
         return reshape(in[0], {3, 4});
       }},
      {"flatten", {{2, 3, 2}}, [](Inputs in) { return flatten(in[0]); }},
      {"flatten_empty", {{0, 3, 2}}, [](Inputs in) { return flatten(in[0]); }},
      {"slice", {{5, 3}}, [](Inputs in) { return slice(in[0], 1, 4); }},
      {"slice_one", {{5, 3}}, [](Inputs in) { return slice(in[0], 4, 5); }},
      {"slice_of_slice", {{6, 2}}, [](Inputs in) { return slice(slice(in[0], 1, 5), 1, 2); }},
      {"slices_overlap",
       {{5, 3}},
       [](Inputs in) { return slice(in[0], 0, 3) * slice(in[0], 2, 5); }},
      {"concat_rows", {{2, 3}, {1, 3}, {4, 3}}, [](Inputs in) { return concat(in, 0); }},
      {"concat_columns", {{2, 3}, {2, 1}, {2, 2}}, [](Inputs in) { return concat(in, 1); }},
      {"concat_middle", {{2, 1, 3}, {2, 2, 3}}, [](Inputs in) { return concat(in, 1); }},
      {"concat_with_empty", {{0, 3}, {2, 3}}, [](Inputs in) { return concat(in, 0); }},
  };
}

std::vector<Case> reduction_cases() {
  return {
      {"sum", {{3, 5}}, [](Inputs in) { return sum(in[0]); }},
      {"sum_one", {{1}}, [](Inputs in) { return sum(in[0]); }},
      {"sum_empty", {{0, 3}}, [](Inputs in) { return sum(in[0]); }},
      {"sum_0", {{3, 5}}, [](Inputs in) { return sum(in[0], 0); }},
      {"sum_1", {{3, 5, 2}}, [](Inputs in) { return sum(in[0], 1); }},
      {"sum_last", {{3, 5, 2}}, [](Inputs in) { return sum(in[0], 2); }},
      {"mean", {{3, 5}}, [](Inputs in) { return mean(in[0]); }},
      {"mean_1", {{3, 5, 2}}, [](Inputs in) { return mean(in[0], 1); }},
      {"max_0", {{4, 3}}, [](Inputs in) { return max(in[0], 0); }},
      {"max_1", {{2, 7, 3}}, [](Inputs in) { return max(in[0], 1); }},
      {"softmax", {{4, 7}}, [](Inputs in) { return softmax(in[0]); }},
      {"softmax_deep", {{2, 3, 5}}, [](Inputs in) { return softmax(in[0]); }},
      {"softmax_empty", {{0, 5}}, [](Inputs in) { return softmax(in[0]); }},
      {"log_softmax", {{4, 7}}, [](Inputs in) { return log_softmax(in[0]); }},
      {"cross_entropy_mean",
       {{4, 7}},
       [](Inputs in) {
         return cross_entropy(in[0], std::vector<std::int32_t>{0, 6, 3, 3});
       }},
      {"cross_entropy_sum",
       {{3, 2}},
       [](Inputs in) {
         return cross_entropy(in[0], std::vector<std::int32_t>{1, 0, 1}, Reduction::sum);
       }},
      {"cross_entropy_empty",
       {{0, 2}},
       [](Inputs in) { return cross_entropy(in[0], std::vector<std::int32_t>{}, Reduction::sum); }},
  };
}

std::vector<Case> matrix_cases() {
  constexpr auto no = Transpose::no, yes = Transpose::yes;
  const auto times = [](Transpose ta, Transpose tb) {
    return [ta, tb](Inputs in) { return matmul(in[0], in[1], ta, tb); };
  };
  const auto lin = [](Inputs in) { return linear(in[0], in[1], in.size() > 2 ? in[2] : Tensor()); };
  return {
      {"matmul", {{3, 5}, {5, 2}}, times(no, no)},
      {"matmul_ta", {{5, 3}, {5, 2}}, times(yes, no)},
      {"matmul_tb", {{3, 5}, {2, 5}}, times(no, yes)},
      {"matmul_ta_tb", {{5, 3}, {2, 5}}, times(yes, yes)},
      {"matmul_1x1", {{1, 1}, {1, 1}}, times(no, no)},
      {"matmul_outer", {{7, 1}, {1, 3}}, times(no, no)},
      {"matmul_empty", {{0, 5}, {5, 2}}, times(no, no)},
      {"linear", {{4, 3}, {5, 3}, {5}}, lin},
      {"linear_without_bias", {{4, 3}, {5, 3}}, lin},
      {"linear_one", {{1, 1}, {1, 1}, {1}}, lin},
      {"linear_empty_batch", {{0, 3}, {5, 3}, {5}}, lin},
  };
}

std::vector<Case> image_cases() {
  std::vector<Case> cases;
  const auto conv = [](std::int64_t stride, std::int64_t padding, std::int64_t groups = 1) {
    return [stride, padding, groups](Inputs in) {
      return conv2d(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), {stride, padding, groups});
    };
  };
  cases.push_back({"conv2d", {{2, 3, 5, 6}, {4, 3, 3, 3}, {4}}, conv(1, 0)});
  cases.push_back({"conv2d_padded", {{2, 1, 5, 5}, {2, 1, 3, 3}, {2}}, conv(1, 1)});
  cases.push_back({"conv2d_strided", {{1, 2, 7, 7}, {3, 2, 3, 3}, {3}}, conv(2, 1)});
  cases.push_back({"conv2d_stride_3", {{1, 1, 8, 9}, {2, 1, 2, 3}}, conv(3, 0)});
  cases.push_back({"conv2d_1x1", {{2, 3, 4, 4}, {5, 3, 1, 1}, {5}}, conv(1, 0)});
  cases.push_back({"conv2d_1x1_strided", {{2, 2, 5, 5}, {3, 2, 1, 1}}, conv(2, 0)});
  cases.push_back({"conv2d_one_pixel", {{1, 1, 1, 1}, {1, 1, 1, 1}, {1}}, conv(1, 0)});
  cases.push_back({"conv2d_wide_padding", {{1, 1, 2, 2}, {1, 1, 2, 2}, {1}}, conv(1, 3)});
  cases.push_back({"conv2d_groups_2", {{2, 4, 5, 5}, {6, 2, 3, 3}, {6}}, conv(1, 1, 2)});
  cases.push_back({"conv2d_depthwise", {{2, 3, 5, 6}, {3, 1, 3, 3}, {3}}, conv(2, 1, 3)});
  cases.push_back({"conv2d_depthwise_twofold", {{1, 2, 4, 4}, {4, 1, 3, 3}}, conv(1, 1, 2)});
  cases.push_back({"conv2d_empty_batch", {{0, 2, 4, 4}, {3, 2, 3, 3}, {3}}, conv(1, 1)});
  const auto pool = [](auto op, PoolOptions o) {
    return [op, o](Inputs in) { return op(in[0], o); };
  };
  const std::vector<std::pair<std::string, PoolOptions>> kinds = {
      {"2x2", {.kernel = 2}},
      {"3x3_stride_2_padded", {.kernel = 3, .stride = 2, .padding = 1}},
      {"2x2_overlapping", {.kernel = 2, .stride = 1}},
      {"1x1", {.kernel = 1}},
  };
  for (const auto& [name, options] : kinds) {
    for (const Shape& shape : {Shape{2, 3, 5, 7}, Shape{1, 1, 2, 2}, Shape{0, 2, 4, 4}}) {
      cases.push_back(
          {"max_pool2d_" + name + shape.to_string(), {shape}, pool(max_pool2d, options)});
      cases.push_back(
          {"avg_pool2d_" + name + shape.to_string(), {shape}, pool(avg_pool2d, options)});
    }
  }
  return cases;
}

Tensor normalised(Inputs in, bool training, bool relu) {
  return batch_norm2d(in[0], in[1], in[2],
                      {.running_mean = random_tensor(in[1].shape(), 8),
                       .running_variance = positive(random_tensor(in[1].shape(), 9)),
                       .training = training,
                       .relu = relu,
                       .residual = in.size() > 3 ? in[3] : Tensor()});
}

std::vector<Case> normalisation_cases() {
  std::vector<Case> cases;
  for (const Shape& x : {Shape{3, 2, 4, 5}, Shape{5, 3, 1, 1}, Shape{2, 2, 3, 3}}) {
    const Shape c{x[1]};
    for (const bool training : {true, false}) {
      for (const bool relu : {true, false}) {
        const auto f = [training, relu](Inputs in) { return normalised(in, training, relu); };
        cases.push_back({"batch_norm2d", {x, c, c}, f});
        cases.push_back({"batch_norm2d_residual", {x, c, c, x}, f});
      }
    }
  }
  cases.push_back({"batch_norm2d_empty_batch", {{0, 2, 3, 3}, {2}, {2}}, [](Inputs in) {
                     return normalised(in, false, true);
                   }});
  const auto layer = [](Inputs in) { return layer_norm(in[0], in[1], in[2]); };
  cases.push_back({"layer_norm", {{4, 7}, {7}, {7}}, layer});
  cases.push_back({"layer_norm_deep", {{2, 3, 33}, {33}, {33}}, layer});
  cases.push_back({"layer_norm_empty", {{0, 5}, {5}, {5}}, layer});
  for (const Shape& x : {Shape{2, 3, 4, 5}, Shape{1, 1, 1, 1}, Shape{0, 2, 3, 3}}) {
    cases.push_back({"global_avg_pool2d", {x}, [](Inputs in) { return global_avg_pool2d(in[0]); }});
  }
  return cases;
}

// The inputs are x, w_ih, w_hh; then b_ih and b_hh if there are five; then h0 and c0 if there are
// seven.
LstmResult lstm_of(Inputs in) {
  const auto optional = [&](std::size_t i) { return in.size() > i ? in[i] : Tensor(); };
  return lstm(in[0], optional(5), optional(6), {in[1], in[2], optional(3), optional(4)});
}

std::vector<Case> sequence_cases() {
  const auto y = [](Inputs in) { return lstm_of(in).y; };
  const auto state_and_y = [](Inputs in) {
    const LstmResult r = lstm_of(in);
    return sum(square(r.y)) + sum(r.h * r.c);
  };
  const std::vector<Shape> whole{{3, 2, 4}, {12, 4}, {12, 3}, {12}, {12}, {2, 3}, {2, 3}};
  const std::vector<Shape> one_step{{1, 3, 2}, {8, 2}, {8, 2}, {8}, {8}, {3, 2}, {3, 2}};
  const std::vector<std::int32_t> ids{2, 0, 2, 4, 2};
  const std::vector<std::int32_t> labels{3, 0, 3, 1, 4};
  return {
      {"lstm", whole, y},
      {"lstm_last_h", whole, [](Inputs in) { return lstm_of(in).h; }},
      {"lstm_last_c", whole, [](Inputs in) { return lstm_of(in).c; }},
      {"lstm_everything", whole, state_and_y},
      {"lstm_one_step", one_step, state_and_y},
      {"lstm_without_bias", {{3, 2, 4}, {12, 4}, {12, 3}}, y},
      {"lstm_zero_state", {{4, 3, 1}, {4, 1}, {4, 1}, {4}, {4}}, state_and_y},
      {"lstm_empty_batch", {{3, 0, 4}, {12, 4}, {12, 3}, {12}, {12}, {0, 3}, {0, 3}}, y},
      {"lstm_cell",
       {{2, 3}, {8, 3}, {8, 2}, {2, 2}, {2, 2}},
       [](Inputs in) {
         const LstmState s = lstm_cell(in[0], in[3], in[4], {in[1], in[2], {}, {}});
         return s.h * s.c;
       }},
      {"lstm_state_carried_over",
       {{3, 2, 4}, {12, 4}, {12, 3}},
       [](Inputs in) {
         const LstmWeights w{in[1], in[2], {}, {}};
         const LstmResult first = lstm(slice(in[0], 0, 2), {}, {}, w);
         return lstm(slice(in[0], 2, 3), first.h, first.c, w).c;
       }},
      {"embedding", {{5, 3}}, [=](Inputs in) { return embedding(in[0], ids); }},
      {"embedding_of_a_result", {{5, 3}}, [=](Inputs in) { return embedding(tanh(in[0]), ids); }},
      {"embedding_one",
       {{1, 1}},
       [](Inputs in) {
         return embedding(in[0], std::vector{0, 0});
       }},
      {"embedding_of_nothing", {{2, 3}}, [](Inputs in) { return embedding(in[0], {}); }},
      {"tied_weights",
       {{5, 3}, {5}},
       [=](Inputs in) {
         return linear_cross_entropy(tanh(embedding(in[0], ids)), in[0], in[1], labels);
       }},
      {"tied_weights_composed",
       {{5, 3}, {5}},
       [=](Inputs in) {
         return cross_entropy(linear(tanh(embedding(in[0], ids)), in[0], in[1]), labels);
       }},
      {"linear_cross_entropy",
       {{5, 3}, {6, 3}, {6}},
       [=](Inputs in) { return linear_cross_entropy(in[0], in[1], in[2], labels); }},
      {"linear_cross_entropy_sum",
       {{5, 3}, {6, 3}},
       [=](Inputs in) {
         const Tensor loss = linear_cross_entropy(in[0], in[1], {}, labels, Reduction::sum);
         return square(loss);
       }},
  };
}

std::vector<Case> graph_cases() {
  return {
      {"used_twice", {{3}}, [](Inputs in) { return in[0] * in[0] + in[0]; }},
      {"diamond",
       {{3}, {3}},
       [](Inputs in) {
         const Tensor a = tanh(in[0] * in[1]);
         return a * sigmoid(a) + exp(a);
       }},
      {"network",
       {{2, 1, 6, 6}, {2, 1, 3, 3}, {2}, {3, 8}, {3}},
       [](Inputs in) {
         const Tensor h = max_pool2d(tanh(conv2d(in[0], in[1], in[2])), {.kernel = 2});
         return cross_entropy(linear(flatten(h), in[3], in[4]), std::vector<std::int32_t>{2, 0});
       }},
  };
}

}  // namespace

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto& some : {elementwise_cases(), shape_cases(), reduction_cases(), matrix_cases(),
                           image_cases(), normalisation_cases(), sequence_cases(), graph_cases()}) {
    cases.insert(cases.end(), some.begin(), some.end());
  }
  return cases;
}

std::vector<Tensor> inputs_of(const Case& c) {
  std::vector<Tensor> inputs;
  for (const auto& shape : c.shapes) inputs.push_back(random_tensor(shape, inputs.size() + 1));
  return inputs;
}

}  // namespace terse
