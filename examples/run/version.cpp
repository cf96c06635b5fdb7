#include "examples/run/version.hpp"

#include <fmt/format.h>

#include "tersegrad/core/kernels/gemm/choice.hpp"
#include "tersegrad/core/simd/isa.hpp"
#include "tersegrad/version.hpp"

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
      "instruction sets: {} in this binary, {} on this CPU; {} is used{}\n"
      "float products: {}\n"
      "double products and LAPACK: {}{}\n",
      TERSE_VERSION, kCompiler, isa_list(compiled_isas()), isa_list(available_isas()),
      isa_name(isa()), isa_is_forced() ? " (forced)" : "", kernels::describe_products(),
      kernels::blas_name(),
      kernels::blas_knows_cpu() ? "" : ", whose kernels are older than this CPU");
}

}  // namespace terse::run
