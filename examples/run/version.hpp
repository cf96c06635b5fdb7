// What this binary is and which code it runs on this CPU.
#pragma once

#include <string>
#include <string_view>

namespace terse::run {

std::string_view program_version();  // "0.1.0"

// What --version prints: the version, the compiler, the levels of the kernels, the BLAS. Several
// lines, the last one ended too.
std::string version_text();

}  // namespace terse::run
