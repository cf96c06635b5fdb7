#include "tersegrad/optim/problems/problem.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/random.hpp"

namespace terse::problems {
namespace {

double dot(In a, In b) {
  double sum = 0;
  for (std::size_t j = 0; j < a.size(); ++j) sum += a[j] * b[j];
  return sum;
}

class Quadratic final : public Problem {
 public:
  Quadratic(std::vector<Vector> curvatures, std::vector<Vector> targets)
      : curvatures_(std::move(curvatures)), targets_(std::move(targets)) {
    check(!targets_.empty() && curvatures_.size() == targets_.size(),
          "quadratic: expected one curvature and one target per component, and at least one; got "
          "{} curvatures and {} targets",
          curvatures_.size(), targets_.size());
    for (std::size_t n = 0; n < targets_.size(); ++n) {
      check(targets_[n].size() == dimension() && curvatures_[n].size() == dimension(),
            "quadratic: expected components of {} dimensions; got {} curvatures and {} targets",
            dimension(), curvatures_[n].size(), targets_[n].size());
    }
  }
  std::size_t dimension() const override { return targets_.front().size(); }
  std::size_t components() const override { return targets_.size(); }
  double component_value(std::size_t n, In x) const override {
    double sum = 0;
    for (std::size_t j = 0; j < x.size(); ++j) {
      sum += curvatures_[n][j] / 2 * (x[j] - targets_[n][j]) * (x[j] - targets_[n][j]);
    }
    return sum;
  }
  void component_gradient(std::size_t n, In x, Out g) const override {
    for (std::size_t j = 0; j < x.size(); ++j) g[j] = curvatures_[n][j] * (x[j] - targets_[n][j]);
  }

 private:
  std::vector<Vector> curvatures_, targets_;
};

class Rosenbrock final : public Problem {
 public:
  explicit Rosenbrock(std::size_t dimension) : dimension_(dimension) {
    check(dimension >= 2, "rosenbrock: expected at least 2 dimensions; got {}", dimension);
  }
  std::size_t dimension() const override { return dimension_; }
  std::size_t components() const override { return dimension_ - 1; }
  bool is_sum() const override { return true; }
  double component_value(std::size_t i, In x) const override {
    const double rise = x[i + 1] - x[i] * x[i];
    return 100 * rise * rise + (1 - x[i]) * (1 - x[i]);
  }
  void component_gradient(std::size_t i, In x, Out g) const override {
    const double rise = x[i + 1] - x[i] * x[i];
    std::ranges::fill(g, 0.0);
    g[i] = -400 * x[i] * rise - 2 * (1 - x[i]);
    g[i + 1] = 200 * rise;
  }

 private:
  std::size_t dimension_;
};

class CounterExample final : public Problem {
 public:
  explicit CounterExample(double eps) : a_{{1 + eps, -1 + eps}, {-1 + eps, 1 + eps}} {}
  std::size_t dimension() const override { return 2; }
  std::size_t components() const override { return 2; }
  double component_value(std::size_t n, In x) const override {
    return dot(a_[n], x) * dot(a_[n], x);
  }
  void component_gradient(std::size_t n, In x, Out g) const override {
    const double twice = 2 * dot(a_[n], x);
    for (std::size_t j = 0; j < 2; ++j) g[j] = twice * a_[n][j];
  }

 private:
  Vector a_[2];
};

class Logistic final : public Problem {
 public:
  Logistic(std::vector<Vector> rows, Vector labels, double decay)
      : rows_(std::move(rows)), labels_(std::move(labels)), decay_(decay) {
    check(!rows_.empty() && rows_.size() == labels_.size(),
          "logistic: expected one label per row, and at least one row; got {} rows and {} labels",
          rows_.size(), labels_.size());
  }
  std::size_t dimension() const override { return rows_.front().size(); }
  std::size_t components() const override { return rows_.size(); }
  double component_value(std::size_t i, In x) const override {
    const double margin = labels_[i] * dot(rows_[i], x);
    // log(1 + e^-m), in a form that does not overflow for large negative m.
    const double loss = std::log1p(std::exp(-std::abs(margin))) + std::max(-margin, 0.0);
    return loss + decay_ / 2 * dot(x, x);
  }
  void component_gradient(std::size_t i, In x, Out g) const override {
    const double margin = labels_[i] * dot(rows_[i], x);
    const double slope = -labels_[i] / (1 + std::exp(margin));
    for (std::size_t j = 0; j < x.size(); ++j) g[j] = slope * rows_[i][j] + decay_ * x[j];
  }

 private:
  std::vector<Vector> rows_;
  Vector labels_;
  double decay_;
};

void add_noise(const Vector& noise, Philox& draws, Out gradient) {
  for (std::size_t j = 0; j < noise.size(); ++j) {
    gradient[j] += noise[j] * static_cast<double>(draws.normal());
  }
}

void check_noise(const Problem& problem, const Sampling& sampling) {
  check(
      sampling.noise.empty() || sampling.noise.size() == problem.dimension(),
      "oracle: expected one standard deviation per coordinate, or none; got {} for {} coordinates",
      sampling.noise.size(), problem.dimension());
}

Philox draws_of(const Sampling& sampling, std::uint32_t node, std::uint64_t step) {
  return Philox(sampling.seed, {.purpose = Purpose::problem,
                                .worker = node,
                                .step = static_cast<std::uint32_t>(step),
                                .tensor = static_cast<std::uint32_t>(step >> 32)});
}

}  // namespace

double Problem::value(In x) const {
  double sum = 0;
  for (std::size_t i = 0; i < components(); ++i) sum += component_value(i, x);
  return is_sum() ? sum : sum / static_cast<double>(components());
}

void Problem::gradient(In x, Out gradient) const {
  Vector one(x.size());
  std::ranges::fill(gradient, 0.0);
  for (std::size_t i = 0; i < components(); ++i) {
    component_gradient(i, x, one);
    for (std::size_t j = 0; j < one.size(); ++j) gradient[j] += one[j];
  }
  if (is_sum()) return;
  for (double& value : gradient) value /= static_cast<double>(components());
}

std::unique_ptr<Problem> make_quadratic(Vector curvature, std::vector<Vector> targets) {
  std::vector<Vector> all(targets.size(), curvature);
  return make_mixed_quadratic(std::move(all), std::move(targets));
}

std::unique_ptr<Problem> make_mixed_quadratic(std::vector<Vector> curvatures,
                                              std::vector<Vector> targets) {
  return std::make_unique<Quadratic>(std::move(curvatures), std::move(targets));
}

std::unique_ptr<Problem> make_disagreeing_quadratics(std::size_t dimension, std::uint32_t nodes,
                                                     std::uint64_t seed) {
  std::vector<Vector> curvatures, targets;
  for (std::uint32_t node = 0; node < nodes; ++node) {
    Philox draws(seed, {.purpose = Purpose::problem, .worker = node});
    curvatures.emplace_back(dimension, 0.5 * (node + 1));
    for (auto& value : targets.emplace_back(dimension)) value = draws.normal();
  }
  return make_mixed_quadratic(std::move(curvatures), std::move(targets));
}

std::unique_ptr<Problem> make_rosenbrock(std::size_t dimension) {
  return std::make_unique<Rosenbrock>(dimension);
}

std::unique_ptr<Problem> make_counter_example(double eps) {
  check(eps > 0 && eps < 1, "counter-example: expected 0 < eps < 1; got {}", eps);
  return std::make_unique<CounterExample>(eps);
}

std::unique_ptr<Problem> make_logistic(std::vector<Vector> rows, Vector labels, double decay) {
  return std::make_unique<Logistic>(std::move(rows), std::move(labels), decay);
}

Oracle shared_data(const Problem& problem, Sampling sampling) {
  check_noise(problem, sampling);
  check(sampling.batch >= 0, "oracle: expected a batch of at least 0; got {}", sampling.batch);
  return [&problem, sampling, one = Vector(problem.dimension())](
             std::uint32_t node, std::uint64_t step, In x, Out gradient) mutable {
    Philox draws = draws_of(sampling, node, step);
    if (sampling.batch == 0) {
      problem.gradient(x, gradient);
      add_noise(sampling.noise, draws, gradient);
      return;
    }
    std::ranges::fill(gradient, 0.0);
    for (std::int64_t sample = 0; sample < sampling.batch; ++sample) {
      problem.component_gradient(draws.below(problem.components()), x, one);
      add_noise(sampling.noise, draws, one);
      for (std::size_t j = 0; j < one.size(); ++j) gradient[j] += one[j];
    }
    for (double& value : gradient) value /= static_cast<double>(sampling.batch);
  };
}

Oracle partitioned_data(const Problem& problem, Sampling sampling) {
  check_noise(problem, sampling);
  return [&problem, sampling](std::uint32_t node, std::uint64_t step, In x, Out gradient) {
    check(node < problem.components(), "partitioned data: expected a node below {}; got {}",
          problem.components(), node);
    Philox draws = draws_of(sampling, node, step);
    problem.component_gradient(node, x, gradient);
    add_noise(sampling.noise, draws, gradient);
  };
}

}  // namespace terse::problems
