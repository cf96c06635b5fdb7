#include "examples/support/version.hpp"

#include <fmt/format.h>

#include "core/simd/isa.hpp"

namespace terse::run {
namespace {

#ifdef __clang__
constexpr std::string_view kCompiler = "Clang " __clang_version__;
#else
constexpr std::string_view kCompiler = "GCC " __VERSION__;
#endif

}  // namespace

std::string_view program_version() {
  return TERSE_VERSION;
}

std::string version_text() {
  return fmt::format(
      "tersegrad {}, compiled by {}\n"
      "instruction sets: {} in this binary, {} on this CPU; {} is used{}\n",
      TERSE_VERSION, kCompiler, isa_list(compiled_isas()), isa_list(available_isas()),
      isa_name(isa()), isa_is_forced() ? " (forced)" : "");
}

}  // namespace terse::run
