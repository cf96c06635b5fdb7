// Memory of tensors: a cache over huge-page slabs, so that a training step takes nothing new from
// the system after the first. (The first touch of a fresh page costs more than the arithmetic on
// it.)
#pragma once

#include <cstddef>

namespace terse {

inline constexpr std::size_t kAlignment = 64;  // of every block: a cache line, and any vector

// Who a block is for. How many pieces of a parallel loop run at the same moment differs from step
// to step, so what one piece asks for is set aside at once for as many threads as there are.
enum class Pool : bool { common, pieces };
// Pool::pieces within a PieceScope, of this thread.
Pool current_pool();

// At least `bytes` bytes, aligned to kAlignment and not initialised. Thread-safe.
void* allocate(std::size_t bytes, Pool pool = Pool::common);
// Gives a block back to the cache: `bytes` and pool as asked for, from the same thread if
// Pool::pieces.
void deallocate(void* block, std::size_t bytes, Pool pool = Pool::common) noexcept;

// While it lives, this thread runs a piece of a loop that so many threads share.
class PieceScope {
 public:
  explicit PieceScope(int threads);
  ~PieceScope();
  PieceScope(const PieceScope&) = delete;
  PieceScope& operator=(const PieceScope&) = delete;

 private:
  int before_;
};

struct MemoryUse {
  std::size_t live_bytes;    // asked for and not given back
  std::size_t peak_bytes;    // most that was ever live
  std::size_t system_bytes;  // taken from the operating system, in all
  std::size_t system_calls;  // how often
};
MemoryUse memory_use();

}  // namespace terse
