// Memory of tensors: a cache over huge-page slabs, so that a training step takes nothing new from
// the system after the first. (The first touch of a fresh page costs more than the arithmetic on
// it.)
#pragma once

#include <cstddef>

namespace terse {

inline constexpr std::size_t kAlignment = 64;  // of every block: a cache line, and any vector

// At least `bytes` bytes, aligned to kAlignment and not initialised. Thread-safe.
void* allocate(std::size_t bytes);
// Gives a block back to the cache; `bytes` as asked for.
void deallocate(void* block, std::size_t bytes) noexcept;

struct MemoryUse {
  std::size_t live_bytes;    // asked for and not given back
  std::size_t peak_bytes;    // most that was ever live
  std::size_t system_bytes;  // taken from the operating system, in all
  std::size_t system_calls;  // how often
};
MemoryUse memory_use();

}  // namespace terse
