// Incompatible shapes: the error names the operator, the rule and every shape.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/ops.hpp"

namespace terse {
namespace {

void expect_error(const std::function<void()>& f, const std::vector<std::string>& parts) {
  try {
    f();
    FAIL() << "no error: " << parts.front();
  } catch (const Error& e) {
    for (const auto& part : parts) {
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos)
          << e.what() << " lacks " << part;
    }
  }
}

Tensor z(const Shape& shape) {
  return Tensor::zeros(shape);
}

TEST(OperatorErrors, NameTheOperatorAndTheShapes) {
  expect_error([] { add(z({2, 3}), z({2})); }, {"add:", "(2, 3)", "(2)"});
  expect_error([] { matmul(z({2, 3}), z({2, 3})); }, {"matmul:", "(2, 3)"});
  expect_error([] { linear(z({2, 3}), z({4, 2}), Tensor()); }, {"linear:", "(2, 3)", "(4, 2)"});
  expect_error([] { linear(z({2, 3}), z({4, 3}), z({3})); }, {"linear:", "bias", "(4)", "(3)"});
  expect_error(
      [] {
        conv2d(z({1, 2, 4, 4}), z({3, 1, 3, 3}), Tensor());
      },
      {"conv2d:", "(1, 2, 4, 4)", "(3, 1, 3, 3)"});
  expect_error([] { conv2d(z({1, 1, 2, 2}), z({1, 1, 3, 3}), Tensor()); }, {"conv2d:", "must fit"});
  expect_error(
      [] {
        conv2d(z({1, 1, 4, 4}), z({1, 1, 3, 3}), Tensor(), {.stride = 0});
      },
      {"conv2d:", "stride"});
  expect_error(
      [] {
        conv2d(z({1, 4, 4, 4}), z({6, 4, 3, 3}), Tensor(), {.groups = 2});
      },
      {"conv2d:", "(K, C / groups, R, S)", "(1, 4, 4, 4)", "(6, 4, 3, 3)", "groups 2"});
  expect_error(
      [] {
        conv2d(z({1, 4, 4, 4}), z({5, 2, 3, 3}), Tensor(), {.groups = 2});
      },
      {"conv2d:", "multiple of the groups", "(5, 2, 3, 3)", "groups 2"});
  expect_error(
      [] {
        conv2d(z({1, 4, 4, 4}), z({4, 4, 3, 3}), Tensor(), {.groups = 0});
      },
      {"conv2d:", "groups", "0"});
  expect_error([] { max_pool2d(z({1, 1, 4})); }, {"max_pool2d:", "(1, 1, 4)"});
  expect_error([] { avg_pool2d(z({1, 1, 1, 1})); }, {"avg_pool2d:", "must fit"});
  expect_error([] { max_pool2d(z({1, 1, 4, 4}), {.kernel = 2, .padding = 2}); }, {"padding"});
  expect_error([] { max_pool2d(z({1, 1, 0, 4}), {.kernel = 2, .padding = 1}); }, {"1x1 pixels"});
  const auto norm = [](const Shape& x, const Shape& c, const Shape& residual = {2, 3, 4, 4}) {
    return [x, c, residual] {
      batch_norm2d(z(x), z(c), z(c),
                   {.running_mean = z(c), .running_variance = z(c), .residual = z(residual)});
    };
  };
  expect_error(norm({2, 3}, {3}), {"batch_norm2d:", "(2, 3)"});
  expect_error(norm({2, 3, 4, 4}, {4}), {"batch_norm2d:", "must be (3)", "(2, 3, 4, 4)", "(4)"});
  expect_error(norm({2, 3, 4, 5}, {3}), {"batch_norm2d: the residual", "(2, 3, 4, 4)"});
  expect_error(norm({1, 3, 1, 1}, {3}, {1, 3, 1, 1}), {"more than one value", "(1, 3, 1, 1)"});
  expect_error([] { layer_norm(z({2, 3}), z({2}), z({3})); }, {"layer_norm:", "(3)", "(2)"});
  expect_error([] { global_avg_pool2d(z({2, 3})); }, {"global_avg_pool2d:", "(2, 3)"});
  expect_error([] { reshape(z({2, 3}), {7}); }, {"reshape:", "(2, 3)", "(7)"});
  expect_error([] { slice(z({2, 3}), 1, 3); }, {"slice:", "[1, 3)", "(2, 3)"});
  expect_error([] { concat(std::array{z({2, 3}), z({2, 4})}, 0); }, {"concat:", "(2, 4)"});
  expect_error([] { concat({}, 0); }, {"concat:"});
  expect_error([] { sum(z({2}), 1); }, {"sum:", "(2)"});
  expect_error([] { max(z({0, 2}), 0); }, {"max:", "no elements"});
  expect_error([] { mean(z({0})); }, {"mean:"});
  expect_error([] { broadcast_to(z({2, 3}), {3}); }, {"broadcast_to:"});
  expect_error(
      [] {
        cross_entropy(z({2, 3}), std::vector<std::int32_t>{0});
      },
      {"cross_entropy:", "(2, 3)"});
  expect_error(
      [] {
        cross_entropy(z({2, 3}), std::vector<std::int32_t>{0, 3});
      },
      {"[0, 3)", "label 1 is 3"});
  expect_error([] { cross_entropy(z({0, 3}), {}); }, {"Reduction::sum"});
  expect_error([] { Tensor::from({2}, {1, 2, 3}); }, {"(2)", "3 values"});
  expect_error([] { z({2}).item(); }, {"item:", "(2)"});
  expect_error([] { Tensor().shape(); }, {"undefined"});
  expect_error([] { z({-1}); }, {"negative", "(-1)"});
}

}  // namespace
}  // namespace terse
