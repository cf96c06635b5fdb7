// The version of this binary, and the code that it runs on this CPU.
#pragma once

#include <string>
#include <string_view>

namespace terse::run {

std::string_view program_version();  // "0.1.0"

// The output of --version: version, compiler, instruction sets and BLAS, in several lines.
std::string version_text();

}  // namespace terse::run
