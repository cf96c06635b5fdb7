// Counts all allocations of the test program, by replacing operator new.
#pragma once

#include <cstddef>

namespace terse {

std::size_t allocations_so_far();

}  // namespace terse
