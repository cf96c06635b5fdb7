#include "tersegrad/core/simd/isa.hpp"

#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <type_traits>
#include <utility>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

using Targets = decltype(hwy::SupportedTargets());  // bits; wider is lower

constexpr std::array<std::pair<Isa, Targets>, 4> kLevels = {{
#if HWY_ARCH_X86
    {Isa::sse4, HWY_SSE4},
    {Isa::avx2, HWY_AVX2},
    {Isa::avx512, HWY_AVX3},
#elif HWY_ARCH_ARM
    {Isa::neon, HWY_NEON},
#endif
}};

Targets target_of(Isa isa) {
  for (const auto& [level, target] : kLevels) {
    if (level == isa && target != 0) return target;
  }
  return 0;
}

std::vector<Isa> levels_in(Targets targets) {
  std::vector<Isa> levels;
  for (const auto& [level, target] : kLevels) {
    if ((target & targets) != 0) levels.push_back(level);
  }
  if (levels.empty()) levels.push_back(Isa::other);
  return levels;
}

std::mutex choosing;  // two threads may choose the level at the same time
bool forced = false;

// The targets that the CPU supports. Queried once, before any target is disabled.
Targets supported() {
  static const Targets targets = hwy::SupportedTargets();
  return targets;
}

void use(Isa isa) {
  const Targets target = target_of(isa);
  hwy::DisableTargets(target == 0 ? 0 : target - 1);  // all wider targets have lower bits
#if HWY_TARGETS != HWY_STATIC_TARGET
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
#endif
  simd::chosen_isa.store(static_cast<int>(isa), std::memory_order_release);
}

void choose(std::string_view name, std::string_view who_asks) {
  const auto available = available_isas();
  if (name == "auto") {
    forced = false;
    return use(available.back());
  }
  const auto found =
      std::ranges::find_if(available, [&](Isa isa) { return isa_name(isa) == name; });
  check<UsageError>(
      found != available.end(),
      "{}: expected one of auto, {} (the levels of this binary on this CPU); got '{}'", who_asks,
      isa_list(available), name);
  forced = true;
  use(*found);
}

}  // namespace

std::string_view isa_name(Isa isa) {
  constexpr std::array<std::string_view, 5> kNames = {"sse4", "avx2", "avx512", "neon", "other"};
  return kNames[static_cast<std::size_t>(isa)];
}

Isa simd::choose_isa() {
  const std::scoped_lock lock(choosing);
  if (const int chosen = chosen_isa.load(); chosen != kNotChosen) return static_cast<Isa>(chosen);
  const char* name = std::getenv("TERSE_ISA");
  choose(name == nullptr || *name == '\0' ? "auto" : name, "TERSE_ISA");
  return isa();
}

void force_isa(std::string_view name) {
  const std::scoped_lock lock(choosing);
  choose(name, "--isa");
}

bool isa_is_forced() {
  isa();
  const std::scoped_lock lock(choosing);
  return forced;
}

std::vector<Isa> compiled_isas() {
  return levels_in(HWY_TARGETS);
}

std::vector<Isa> available_isas() {
  // The CPU has HWY_STATIC_TARGET, the level that the rest of the program is compiled for, even if
  // Highway's own check does not report it.
  return levels_in(HWY_TARGETS & (supported() | HWY_STATIC_TARGET));
}

std::string isa_list(const std::vector<Isa>& isas) {
  std::string text;
  for (const Isa isa : isas) {
    if (!text.empty()) text += ", ";
    text += isa_name(isa);
  }
  return text;
}

}  // namespace terse
