#include "tersegrad/optim/testing/gradients.hpp"

#include <cstring>

namespace terse {

OwnedGradients make_gradients(const std::vector<MatrixShape>& shapes,
                              const std::function<float(std::int64_t)>& value) {
  OwnedGradients gradients;
  std::int64_t place = 0;
  for (const auto& shape : shapes) {
    OwnedTensor tensor{
        static_cast<std::uint32_t>(gradients.size()), shape.rows, shape.cols, {}, shape.kernel};
    tensor.values.resize(static_cast<std::size_t>(tensor.size()));
    for (float& v : tensor.values) v = value(place++);
    gradients.push_back(std::move(tensor));
  }
  return gradients;
}

OwnedGradients zero_gradients(const std::vector<MatrixShape>& shapes) {
  return make_gradients(shapes, [](std::int64_t) { return 0.0F; });
}

OwnedGradients normal_gradients(const std::vector<MatrixShape>& shapes, std::uint32_t draw) {
  Philox random(11, {.purpose = Purpose::test, .step = draw});
  return make_gradients(shapes, [&random](std::int64_t) { return random.normal(); });
}

std::vector<GradView> views_of(OwnedGradients& gradients) {
  std::vector<GradView> views;
  for (auto& tensor : gradients) {
    views.push_back({tensor.id, tensor.rows, tensor.cols, tensor.kernel, tensor.values});
  }
  return views;
}

std::vector<MatrixShape> shapes_of(const OwnedGradients& gradients) {
  std::vector<MatrixShape> shapes;
  for (const auto& tensor : gradients) {
    shapes.push_back({"", tensor.rows, tensor.cols, tensor.kernel});
  }
  return shapes;
}

std::vector<float> flat(const OwnedGradients& gradients) {
  std::vector<float> values;
  for (const auto& tensor : gradients) {
    values.insert(values.end(), tensor.values.begin(), tensor.values.end());
  }
  return values;
}

OwnedGradients mean_of(const std::vector<OwnedGradients>& workers) {
  OwnedGradients mean = workers.front();
  for (std::size_t t = 0; t < mean.size(); ++t) {
    for (std::size_t i = 0; i < mean[t].values.size(); ++i) {
      double sum = 0;
      for (const auto& worker : workers) sum += worker[t].values[i];
      mean[t].values[i] = static_cast<float>(sum / static_cast<double>(workers.size()));
    }
  }
  return mean;
}

bool same_bits(const OwnedGradients& a, const OwnedGradients& b) {
  const auto x = flat(a), y = flat(b);
  return x.size() == y.size() &&
         (x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(float)) == 0);
}

}  // namespace terse
