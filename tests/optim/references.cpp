#include "references.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "core/random.hpp"

namespace terse {
namespace {

OwnedGradients zeros_like(const OwnedGradients& x) {
  return zero_gradients(shapes_of(x));
}

std::int64_t kept_of(std::int64_t n, double ratio) {
  return n == 0 ? 0 : std::max<std::int64_t>(1, std::int64_t(std::floor(ratio * double(n))));
}

// Classical Gram-Schmidt on columns of n doubles.
void orthonormalise_columns(std::vector<std::vector<double>>& columns) {
  for (std::size_t c = 0; c < columns.size(); ++c) {
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t k = 0; k < c; ++k) {
        const auto overlap =
            std::inner_product(columns[k].begin(), columns[k].end(), columns[c].begin(), 0.0);
        for (std::size_t i = 0; i < columns[c].size(); ++i)
          columns[c][i] -= overlap * columns[k][i];
      }
    }
    const auto norm = std::sqrt(
        std::inner_product(columns[c].begin(), columns[c].end(), columns[c].begin(), 0.0));
    for (double& value : columns[c]) value /= norm;
  }
}

}  // namespace

OwnedGradients reference_vote(const Round& round, const Workers& workers, const std::string& tie) {
  auto result = zeros_like(workers[0]);
  const Philox coins(round.seed, {.purpose = Purpose::tie});
  std::uint64_t place = 0;
  for (std::size_t t = 0; t < result.size(); ++t) {
    for (std::size_t i = 0; i < result[t].values.size(); ++i, ++place) {
      int votes = 0;
      for (const auto& worker : workers) votes += worker[t].values[i] < 0 ? -1 : 1;
      const bool coin = (coins.at(place / 32) >> (place % 32) & 1U) != 0;
      int broken = 0;
      if (tie == "plus") broken = 1;
      if (tie == "random") broken = coin ? -1 : 1;
      const int winner = votes > 0 ? 1 : votes < 0 ? -1 : broken;
      result[t].values[i] = static_cast<float>(winner);
    }
  }
  return result;
}

OwnedGradients reference_sign(const Workers& workers) {
  auto result = zeros_like(workers[0]);
  for (std::size_t t = 0; t < result.size(); ++t) {
    std::vector<double> sum(result[t].values.size());
    for (const auto& worker : workers) {
      double scale = 0;
      for (const float v : worker[t].values) scale += std::abs(v);
      scale /= static_cast<double>(sum.size());
      for (std::size_t i = 0; i < sum.size(); ++i)
        sum[i] += worker[t].values[i] < 0 ? -scale : scale;
    }
    for (std::size_t i = 0; i < sum.size(); ++i) {
      result[t].values[i] = static_cast<float>(sum[i] / static_cast<double>(workers.size()));
    }
  }
  return result;
}

OwnedGradients reference_topk(const Workers& workers, double ratio) {
  auto result = zeros_like(workers[0]);
  for (const auto& worker : workers) {
    for (std::size_t t = 0; t < result.size(); ++t) {
      const auto& x = worker[t].values;
      std::vector<std::size_t> order(x.size());
      std::iota(order.begin(), order.end(), 0U);
      std::stable_sort(order.begin(), order.end(),
                       [&](auto a, auto b) { return std::abs(x[a]) > std::abs(x[b]); });
      order.resize(static_cast<std::size_t>(kept_of(std::ssize(x), ratio)));
      for (const auto i : order) result[t].values[i] += x[i] / static_cast<float>(workers.size());
    }
  }
  return result;
}

OwnedGradients reference_randomk(const Round& round, const Workers& workers, double ratio,
                                 bool scaled) {
  auto result = mean_of(workers);
  for (auto& tensor : result) {
    const auto n = std::ssize(tensor.values), k = kept_of(n, ratio);
    Philox random(round.seed, {.purpose = Purpose::compress, .tensor = tensor.id});
    std::set<std::int64_t> chosen;
    for (auto last = n - k; last < n; ++last) {
      const auto pick = static_cast<std::int64_t>(random.below(std::uint64_t(last) + 1));
      if (!chosen.insert(pick).second) chosen.insert(last);
    }
    for (std::int64_t i = 0; i < n; ++i) {
      if (!chosen.contains(i)) tensor.values[i] = 0;
      if (scaled) tensor.values[i] *= static_cast<float>(double(n) / double(k));
    }
  }
  return result;
}

OwnedGradients reference_powersgd(const Round& round, const Workers& workers, std::int64_t rank) {
  auto result = mean_of(workers);
  for (auto& tensor : result) {
    const auto n = tensor.rows, m = tensor.cols, r = std::min({rank, n, m});
    if (m == 1) continue;
    Philox random(round.seed, {.purpose = Purpose::compress, .tensor = tensor.id});
    std::vector<std::vector<double>> p(r, std::vector<double>(n)), q(r, std::vector<double>(m));
    for (auto& column : q) {
      for (double& value : column) value = random.normal();
    }
    const auto matrix = [&](std::int64_t i, std::int64_t j) {
      return double{tensor.values[i * m + j]};
    };
    for (std::int64_t c = 0; c < r; ++c) {
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j < m; ++j) p[c][i] += matrix(i, j) * q[c][j];
      }
    }
    orthonormalise_columns(p);
    std::vector<float> approximation(tensor.values.size());
    for (std::int64_t j = 0; j < m; ++j) {
      for (std::int64_t c = 0; c < r; ++c) {
        q[c][j] = 0;
        for (std::int64_t i = 0; i < n; ++i) q[c][j] += matrix(i, j) * p[c][i];
      }
      for (std::int64_t i = 0; i < n; ++i) {
        double sum = 0;
        for (std::int64_t c = 0; c < r; ++c) sum += p[c][i] * q[c][j];
        approximation[i * m + j] = static_cast<float>(sum);
      }
    }
    tensor.values = approximation;
  }
  return result;
}

}  // namespace terse
