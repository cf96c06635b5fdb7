// Shared by the claims of compressors that send every value with fewer bits: the random draws for
// rounding, the mean of reconstructions, and payload sizes.
#pragma once

#include <algorithm>
#include <cstdint>

#include "claims.hpp"

namespace terse {

// The draw in [0, 1) for value i of a tensor in the first step. The format defines which bits of
// the stream it uses.
inline double draw(const Round& round, std::uint32_t worker, std::uint32_t tensor, std::size_t i) {
  const Philox stream(round.seed,
                      {.purpose = Purpose::compress, .worker = worker, .tensor = tensor});
  const auto j = i % 64;
  const auto word = stream.at(4 * (i / 64 * 8 + j % 8) + j / 8 % 4);
  const auto more = stream.at((std::uint64_t{1} << 33) + i / 2);
  const std::uint32_t upper = j < 32 ? word & 0xffff : word >> 16;
  const std::uint32_t lower = i % 2 == 0 ? more & 0xffff : more >> 16;
  return (upper * 65536.0 + lower) / 4294967296.0;
}

// For every tensor, the mean over the workers w of the vector reconstruct(w, tensor of w).
template <class Reconstruct>
OwnedGradients mean_reconstruction(const Workers& workers, Reconstruct reconstruct) {
  auto result = zeros_like(workers[0]);
  for (std::size_t t = 0; t < result.size(); ++t) {
    std::vector<double> sum(result[t].values.size());
    for (std::uint32_t w = 0; w < workers.size(); ++w) {
      const std::vector<double> one = reconstruct(w, workers[w][t]);
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += one[i];
    }
    for (std::size_t i = 0; i < sum.size(); ++i) {
      result[t].values[i] = static_cast<float>(sum[i] / static_cast<double>(workers.size()));
    }
  }
  return result;
}

inline std::size_t words(std::size_t bits) {
  return (bits + 31) / 32;
}

// The sum of words(bits(n)) over the tensors, in bytes, where n is the number of values of a
// tensor.
template <class Bits>
std::size_t bytes_by_tensor(const Shapes& shapes, Bits bits) {
  std::size_t sum = 0;
  for (const auto& shape : shapes) {
    const auto n = static_cast<std::size_t>(shape.rows * shape.cols);
    sum += 4 * words(bits(n));
  }
  return sum;
}

inline std::size_t buckets(std::size_t n, std::size_t bucket) {
  if (n == 0) return 0;
  return bucket == 0 ? 1 : (n + bucket - 1) / bucket;
}

// Calls body(begin, end) for every bucket of n values.
template <class Body>
void for_each_bucket(std::size_t n, std::size_t bucket, Body body) {
  const auto width = bucket == 0 ? std::max<std::size_t>(n, 1) : bucket;
  for (std::size_t begin = 0; begin < n; begin += width) body(begin, std::min(n, begin + width));
}

}  // namespace terse
