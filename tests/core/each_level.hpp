// Runs the body of a test at every level of this CPU (core/simd/isa.hpp).
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "core/simd/isa.hpp"

namespace terse {

template <class Body>
void at_each_level(const Body& body) {
  const std::string before(isa_is_forced() ? isa_name(isa()) : "auto");
  for (const Isa level : available_isas()) {
    SCOPED_TRACE(isa_name(level));
    force_isa(isa_name(level));
    body();
  }
  force_isa(before);
}

}  // namespace terse
