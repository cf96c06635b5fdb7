// The health of compressed training in one step: what a method keeps of the gradients, tensor by
// tensor.
//
//   g   the gradient of worker 0          x   what its compressor encodes: g and the residual
//   e   its residual after the step       C(x)  the reconstruction of its packet
//   m   the mean gradient of all workers  m'    the mean that updates the model
//
//   residual_ratio    |e| / |g|
//   contraction       1 - |x - C(x)|² / |x|²
//   cosine            of m' and m
//   topk_mass         the share of |x|² in the largest fractions of its values
//   stable_rank       |X|_F² / |X|_2², at most the rank of the matrix X
//   singular_values   the first 16 of X
//   sent              nonzero entries of C(x), by equal ranges of coordinates
//   margins           the number of coordinates on which |votes for + minus votes for -| = m
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tersegrad/core/parameters.hpp"

namespace terse {

inline constexpr std::array<double, 7> kMassFractions = {0.0003, 0.001, 0.003, 0.01,
                                                         0.03,   0.1,   0.3};

inline constexpr std::size_t kOnePercent = 3;  // its index

struct TensorHealth {
  std::string name = {};  // empty: the whole model
  std::int64_t size = 0, rows = 0, cols = 0;
  double gradient_norm = 0;
  double energy = 0;  // |x|²
  std::optional<double> residual_ratio = {}, contraction = {}, cosine = {}, stable_rank = {};
  std::vector<double> topk_mass = {};        // at kMassFractions
  std::vector<double> singular_values = {};  // empty for vectors and the whole model
  std::vector<std::int64_t> sent = {};       // empty unless less than half of C(x) is nonzero
};

struct HealthReport {
  std::int64_t step = 0;
  std::optional<double> declared_contraction = {};  // Compressor::contraction
  std::vector<TensorHealth> tensors = {};           // the first is the whole model
  std::vector<std::int64_t> margins = {};           // [0, workers]; empty unless the method votes
  double seconds = 0;                               // that the measurement took
};

// All values of the model in the order of its parameters. Empty: the method has no such values.
struct HealthInput {
  std::span<const float> gradient, encoded, reconstruction = {}, residual = {}, decoded = {};
  std::span<const double> true_mean = {};
};

std::vector<TensorHealth> measure_health(std::span<const ParameterInfo> tensors,
                                         const HealthInput& input, std::uint64_t seed);
// margins[m] for vote_sums[i] = votes for + minus votes for - on coordinate i.
std::vector<std::int64_t> vote_margins(std::span<const double> vote_sums, int workers);

// The line of log.jsonl. Values that are missing or not finite are null.
nlohmann::json to_json(const HealthReport& report);

}  // namespace terse
