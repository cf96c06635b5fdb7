// Runs the body of a test at every SIMD level of this CPU (core/simd/isa.hpp).
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tersegrad/core/simd/isa.hpp"

namespace terse {

// On destruction, restores the level and whether it was forced.
class LevelRestorer {
 public:
  LevelRestorer() : before_(isa_is_forced() ? isa_name(isa()) : "auto") {}
  ~LevelRestorer() { force_isa(before_); }
  LevelRestorer(const LevelRestorer&) = delete;
  LevelRestorer& operator=(const LevelRestorer&) = delete;

 private:
  std::string before_;
};

template <class Body>
void at_each_level(const Body& body) {
  const LevelRestorer restorer;
  for (const Isa level : available_isas()) {
    SCOPED_TRACE(isa_name(level));
    force_isa(isa_name(level));
    body();
  }
}

}  // namespace terse
