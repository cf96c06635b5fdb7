#include "examples/paper/powersgd_residual.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "examples/paper/row_values.hpp"
#include "examples/paper/seeds.hpp"
#include "examples/paper/statistics.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/optim/conservation.hpp"
#include "tersegrad/optim/testing/exchange.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

constexpr const char* kResiduals = "residuals/powersgd";
constexpr std::size_t kResidualRows = 40, kResidualCols = 30, kResidualRank = 2;
constexpr std::uint32_t kResidualWorkers = 4;

// The noise of a worker's gradient in a step.
Philox residual_noise(std::uint64_t seed, std::uint32_t worker, std::uint32_t step) {
  return Philox(seed, {.purpose = Purpose::problem, .worker = worker, .step = step});
}

// ---- trajectories, in double --------------------------------------------------------------------

// A matrix by its columns.
struct Columns {
  Columns(std::size_t rows, std::size_t cols) : columns(cols, std::vector<double>(rows)) {}
  std::vector<std::vector<double>> columns;
};

double inner_product(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// p += m q
void add_product(const Columns& m, const Columns& q, Columns& p) {
  for (std::size_t r = 0; r < q.columns.size(); ++r) {
    for (std::size_t j = 0; j < m.columns.size(); ++j) {
      for (std::size_t i = 0; i < m.columns[j].size(); ++i) {
        p.columns[r][i] += m.columns[j][i] * q.columns[r][j];
      }
    }
  }
}
// mᵀ p
Columns transposed_product(const Columns& m, const Columns& p) {
  Columns q(m.columns.size(), p.columns.size());
  for (std::size_t r = 0; r < p.columns.size(); ++r) {
    for (std::size_t j = 0; j < m.columns.size(); ++j) {
      q.columns[r][j] = inner_product(m.columns[j], p.columns[r]);
    }
  }
  return q;
}
// m −= factor p qᵀ
void subtract_outer(Columns& m, double factor, const Columns& p, const Columns& q) {
  for (std::size_t r = 0; r < p.columns.size(); ++r) {
    for (std::size_t j = 0; j < m.columns.size(); ++j) {
      for (std::size_t i = 0; i < m.columns[j].size(); ++i) {
        m.columns[j][i] -= factor * p.columns[r][i] * q.columns[r][j];
      }
    }
  }
}
void orthonormalise(Columns& p) {
  for (std::size_t r = 0; r < p.columns.size(); ++r) {
    auto& column = p.columns[r];
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t s = 0; s < r; ++s) {
        const double share = inner_product(column, p.columns[s]);
        for (std::size_t i = 0; i < column.size(); ++i) column[i] -= share * p.columns[s][i];
      }
    }
    const double norm = std::sqrt(inner_product(column, column));
    for (double& value : column) value /= norm;
  }
}

enum class ResidualKind : std::uint8_t { local, averaged };

// The model x after `steps` steps on f = |x|²/2 with noise, from x = 1.
Columns model_after(int steps, ResidualKind kind, std::uint64_t seed) {
  constexpr double kRate = 0.1;
  Columns x(kResidualRows, kResidualCols), q(kResidualCols, kResidualRank);
  for (auto& column : x.columns) std::ranges::fill(column, 1);
  Philox start(seed, {.purpose = Purpose::init});
  for (auto& column : q.columns) {
    for (double& value : column) value = static_cast<double>(start.normal());
  }
  std::vector<Columns> residuals(kResidualWorkers, Columns(kResidualRows, kResidualCols));
  for (int step = 0; step < steps; ++step) {
    Columns p(kResidualRows, kResidualRank);
    for (std::uint32_t w = 0; w < kResidualWorkers; ++w) {
      auto noise = residual_noise(seed, w, static_cast<std::uint32_t>(step));
      for (std::size_t j = 0; j < kResidualCols; ++j) {
        for (std::size_t i = 0; i < kResidualRows; ++i) {
          residuals[w].columns[j][i] += x.columns[j][i] + static_cast<double>(noise.normal());
        }
      }
      add_product(residuals[w], q, p);  // D_w stands where the residual was
    }
    orthonormalise(p);
    std::vector<Columns> own;
    Columns mean(kResidualCols, kResidualRank);
    for (const auto& d : residuals) {
      own.push_back(transposed_product(d, p));
      for (std::size_t r = 0; r < kResidualRank; ++r) {
        for (std::size_t j = 0; j < kResidualCols; ++j) {
          mean.columns[r][j] += own.back().columns[r][j] / kResidualWorkers;
        }
      }
    }
    q = mean;
    for (std::size_t w = 0; w < residuals.size(); ++w) {
      subtract_outer(residuals[w], 1, p, kind == ResidualKind::local ? own[w] : mean);
    }
    subtract_outer(x, kRate, p, mean);
  }
  return x;
}

double largest_difference(const Columns& a, const Columns& b) {
  double largest = 0;
  for (std::size_t j = 0; j < a.columns.size(); ++j) {
    for (std::size_t i = 0; i < a.columns[j].size(); ++i) {
      largest = std::max(largest, std::abs(a.columns[j][i] - b.columns[j][i]));
    }
  }
  return largest;
}

// ---- drift, of the project's compressor ---------------------------------------------------------

// The norm of worker 0's residual at these numbers of steps. The gradients are noise alone.
std::vector<double> residual_norms(const std::string& spec, const std::vector<double>& times,
                                   std::uint64_t seed) {
  const std::vector<MatrixShape> shapes = {
      {.name = "w", .rows = kResidualRows, .cols = kResidualCols}};
  TestExchange exchange([&] { return make_compressor(spec); }, kResidualWorkers, {.seed = seed});
  std::vector<double> norms;
  for (std::uint32_t step = 0; norms.size() < times.size(); ++step) {
    std::vector<OwnedGradients> gradients;
    for (std::uint32_t w = 0; w < kResidualWorkers; ++w) {
      auto noise = residual_noise(seed, w, step);
      gradients.push_back(make_gradients(shapes, [&](std::int64_t) { return noise.normal(); }));
    }
    exchange.step(std::move(gradients));
    if (step + 1 < times[norms.size()]) continue;
    auto kept = zero_gradients(shapes);
    dynamic_cast<ConservingStage&>(exchange.worker(0)).copy_kept(views_of(kept));
    double squares = 0;
    for (const double value : kept.front().values) squares += value * value;
    norms.push_back(std::sqrt(squares));
  }
  return norms;
}

}  // namespace

Experiment residual_kinds(Scale scale) {
  // From 400 steps on the walk exceeds the part of the residual that stays bounded.
  const std::vector<double> times = scale == Scale::whole
                                        ? std::vector<double>{400, 800, 1600, 3200, 6400}
                                        : std::vector<double>{20, 40, 80};
  const std::int64_t seeds = scale == Scale::whole ? 3 : 1;
  return {.name = kResiduals,
          .configuration = {{"times", times}, {"seeds", seeds}, {"revision", 1}},
          .seconds = 10,
          .measure = [=](const Rows&) {
            const auto all = for_seeds(seeds, [&](std::uint64_t seed) {
              return json{
                  {"difference", largest_difference(model_after(10, ResidualKind::local, seed),
                                                    model_after(10, ResidualKind::averaged, seed))},
                  {"averaged", residual_norms("powersgd:rank=2+ef:target=averaged", times, seed)},
                  {"local", residual_norms("powersgd:rank=2+ef", times, seed)}};
            });
            return json{{"times", times}, {"seeds", all}};
          }};
}

Finding residuals_drift(const Rows& rows) {
  const auto& row = rows[kResiduals];
  const double difference = std::ranges::max(by_seed(row, "difference"));
  const Finding equal = {.verdict = difference < 1e-12 ? Verdict::holds : Verdict::fails,
                         .measured = fmt::format(
                             "largest difference of the models after 10 steps {:.1e}", difference)};
  auto drift = within(slope_by_seed(row, "times", "averaged"), 0.4, 0.6, 3,
                      "slope of the averaged residual's norm over t");
  drift.measured += "; of the local one's " + text_of(slope_by_seed(row, "times", "local"), 3);
  return all_of({equal, drift});
}

Charts draw_residuals(const Rows& rows) {
  const auto& row = rows[kResiduals];
  return {chart("Norm of a worker's residual",
                {.label = "steps", .logarithmic = true, .text = plain},
                {.label = "‖e‖", .logarithmic = true, .text = plain}, numbers(row.at("times")),
                {"averaged", "local"}, [&](std::size_t i, std::size_t k) {
                  return interval_of(by_seed(row, i == 0 ? "averaged" : "local", k)).mean;
                })};
}

}  // namespace terse::paper
