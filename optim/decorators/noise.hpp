// Normal noise that is added to each worker's own gradient.
#pragma once

#include <span>
#include <string>

#include "tersegrad/core/random.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse {

class Options;

// out = x + sigma r xi,  xi_i ~ N(0, 1). r is the tensor's root mean square, or 1 where `relative`
// is false.
struct GradientNoise {
  double sigma = 1;
  bool relative = true;

  // Reads sigma= and scale=rms|absolute.
  static GradientNoise from(Options& options);
  std::string spec() const;  // "sigma=1,scale=rms"
  // Coordinate i takes words 2 i and 2 i + 1 of `draws`, counted from its position.
  void add(const Philox& draws, const GradView& grad, std::span<float> out) const;
};

}  // namespace terse
