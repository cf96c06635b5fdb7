#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tersegrad/core/allocator.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/ops.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/testing/check_gradient.hpp"

namespace terse {
namespace {

using Ids = std::vector<std::int32_t>;

std::vector<float> values(const Tensor& t) {
  return {t.data().begin(), t.data().end()};
}

TEST(Embedding, TakesRows) {
  const Tensor w = Tensor::from({3, 2}, {0, 1, 10, 11, 20, 21});
  EXPECT_EQ(values(embedding(w, Ids{2, 0, 2})), (std::vector<float>{20, 21, 0, 1, 20, 21}));
  EXPECT_EQ(embedding(w, Ids{}).shape(), (Shape{0, 2}));
}

TEST(Embedding, AddsTheGradientsOfARepeatedId) {
  Tensor w = Tensor::full({3, 2}, 1);
  w.set_requires_grad();
  embedding(w, Ids{2, 0, 2}).backward(Tensor::from({3, 2}, {1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(values(w.grad()), (std::vector<float>{3, 4, 0, 0, 6, 8}));
}

TEST(Embedding, ThreadsChangeNoBitOfItsGradient) {
  const auto gradient = [](int threads) {
    const int before = thread_count();
    set_thread_count(threads);
    Tensor w = random_tensor({50, 129}, 1);
    w.set_requires_grad();
    Ids ids;
    for (std::int32_t i = 0; i < 2000; ++i) ids.push_back(i * i % 50);
    embedding(w, ids).backward(random_tensor({2000, 129}, 2));
    set_thread_count(before);
    return values(w.grad());
  };
  EXPECT_EQ(gradient(1), gradient(2));
}

TEST(Embedding, NamesTheIdThatIsOutOfRange) {
  const auto message = [](const Shape& shape, const Ids& ids) -> std::string {
    try {
      embedding(Tensor::zeros(shape), ids);
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_EQ(message({3, 2}, {0, 3}), "embedding: an id must be in [0, 3); id 1 is 3");
  EXPECT_EQ(message({3, 2}, {-1}), "embedding: an id must be in [0, 3); id 0 is -1");
  EXPECT_EQ(message({3}, {}), "embedding: expected weight (V, D); got (3)");
}

}  // namespace
}  // namespace terse
