// A fingerprint of a data set, by which runs and processes find that they read the same.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "examples/run/task.hpp"

namespace terse::run {

// The numbers of training and test samples, and a hash.
using Fingerprint = std::array<std::uint64_t, 3>;

Fingerprint fingerprint(const Dataset& data);
std::string to_string(const Fingerprint& data);

}  // namespace terse::run
