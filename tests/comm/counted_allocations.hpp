// Allocations of the whole test program, counted: it replaces operator new.
#pragma once

#include <cstddef>

namespace terse {

std::size_t allocations_so_far();

}  // namespace terse
