#include "tersegrad/core/kernels/gemm/choice.hpp"

#include <cblas.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "tersegrad/core/simd/isa.hpp"

namespace terse::kernels {
namespace {

// The instruction set of OpenBLAS's kernels for a CPU ("core").
enum class Instructions : int { older, avx, avx2, avx512, neon };

struct Core {
  std::string_view name;
  Instructions instructions;
};
constexpr std::array kCores = {
    Core{"sandybridge", Instructions::avx},   Core{"bulldozer", Instructions::avx},
    Core{"piledriver", Instructions::avx},    Core{"steamroller", Instructions::avx},
    Core{"excavator", Instructions::avx},     Core{"haswell", Instructions::avx2},
    Core{"zen", Instructions::avx2},          Core{"skylakex", Instructions::avx512},
    Core{"cooperlake", Instructions::avx512}, Core{"sapphirerapids", Instructions::avx512},
};

enum class Shape : int { small, large, large_transposed };

struct Row {
  Isa isa;
  Instructions blas;
  std::array<bool, 3> blas_computes;  // by Shape
};
// Measured on an Emerald Rapids Xeon (bench_gemm --core=Prescott, TERSE_ISA=sse4): for large
// products OpenBLAS's SSE3 kernels are 1.1 to 1.4 times as fast as our SSE4 kernels.
constexpr std::array kTable = {
    Row{Isa::sse4, Instructions::older, {false, true, true}},
    Row{Isa::sse4, Instructions::avx, {true, true, true}},
    Row{Isa::avx2, Instructions::avx2, {false, true, true}},
    Row{Isa::avx512, Instructions::avx512, {false, false, true}},
};

// A transposed A is large if it does not fit in the L2 cache and is read many times.
Shape shape_of(Transpose transpose_a, std::int64_t m, std::int64_t n, std::int64_t k) {
  if (transpose_a == Transpose::yes && m * k >= 400'000 && n >= 64) return Shape::large_transposed;
  if (std::min(m, n) >= 256 && m * n * k >= 500'000'000) return Shape::large;
  return Shape::small;
}

Instructions blas_instructions() {
  static const Instructions found = [] {
    std::string name(blas_core());
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    for (const Core& core : kCores)
      if (core.name == name) return core.instructions;
#if defined(__aarch64__)
    return Instructions::neon;  // every AArch64 CPU has NEON
#else
    return Instructions::older;
#endif
  }();
  return found;
}

const Row* row_of(Isa isa) {
  const auto row = std::ranges::find_if(
      kTable, [&](const Row& r) { return r.isa == isa && r.blas == blas_instructions(); });
  return row == kTable.end() || isa_is_forced() ? nullptr : &*row;
}

// "0.3.21" of "OpenBLAS 0.3.21 NO_LAPACKE …"
std::string_view blas_version() {
  const std::string_view config = openblas_get_config();
  const auto begin = std::min(config.find(' '), config.size() - 1) + 1;
  return config.substr(begin, config.find(' ', begin) - begin);
}

}  // namespace

std::string_view blas_core() {
  return openblas_get_corename();
}

bool blas_knows_cpu() {
  switch (available_isas().back()) {
    case Isa::avx512:
      return blas_instructions() == Instructions::avx512;
    case Isa::avx2:
      return blas_instructions() >= Instructions::avx2;
    case Isa::sse4:
      return blas_instructions() >= Instructions::avx || blas_core() == "Nehalem";
    default:
      return blas_instructions() == Instructions::neon;
  }
}

bool blas_computes(Transpose transpose_a, std::int64_t m, std::int64_t n, std::int64_t k) {
  const Row* row = row_of(isa());
  return row != nullptr &&
         row->blas_computes[static_cast<std::size_t>(shape_of(transpose_a, m, n, k))];
}

std::string blas_name() {
  return fmt::format("OpenBLAS {} core {}", blas_version(), blas_core());
}

std::string describe_products() {
  const Row* row = row_of(isa());
  if (row == nullptr) return fmt::format("own ({})", isa_name(isa()));
  if (row->blas_computes[0]) return blas_name();
  return fmt::format("own ({}), {} for large {}", isa_name(isa()), blas_name(),
                     row->blas_computes[1] ? "ones" : "A transposed");
}

}  // namespace terse::kernels
