// Instruction-set levels: those that kernels are compiled for, and the one that this process uses.
//
// One x86-64 binary holds every kernel for SSE4, AVX2 and AVX-512. The first kernel that runs
// chooses the widest level that the CPU supports, or the level that TERSE_ISA or `force_isa` names.
// On ARM the only level is NEON.
//
// dispatch.hpp describes kernels written with Highway, vectorized.hpp loops that the compiler
// vectorises.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

namespace terse {

enum class Isa : int { sse4, avx2, avx512, neon, other };  // ascending on one architecture

std::string_view isa_name(Isa isa);  // "sse4", "avx2", "avx512", "neon", "other"

namespace simd {
inline constexpr int kNotChosen = -1;
inline std::atomic<int> chosen_isa{kNotChosen};
Isa choose_isa();
}  // namespace simd

// The level that kernels run at. The first call chooses it, and throws UsageError if TERSE_ISA
// names a level that this binary or this CPU does not have.
inline Isa isa() {
  const int chosen = simd::chosen_isa.load(std::memory_order_acquire);
  if (chosen == simd::kNotChosen) [[unlikely]] {
    return simd::choose_isa();
  }
  return static_cast<Isa>(chosen);
}

// Chooses the level by name; "auto" is the widest one that the CPU supports. Throws UsageError if
// this binary or this CPU does not have it. No other thread may run a kernel at the same time.
void force_isa(std::string_view name);

// Whether TERSE_ISA or force_isa named the level (other than "auto").
bool isa_is_forced();

std::vector<Isa> compiled_isas();   // the levels in this binary, ascending
std::vector<Isa> available_isas();  // those that this CPU supports, ascending

// "sse4, avx2"
std::string isa_list(const std::vector<Isa>& isas);

}  // namespace terse
