// Caching allocator for tensors and scratch buffers.
//
// The allocator takes slabs of 2 MiB huge pages from the system and never returns them. Freed
// blocks go to a free list of their size class, so after the first step a training step asks the
// system for no new memory. Touching a fresh page for the first time costs more than the arithmetic
// on it.
//
// Builds without TERSE_CACHING_ALLOCATOR use one `operator new` for each block and fill it with
// NaN, so that sanitizers see every block.
#pragma once

#include <cstddef>

namespace terse {

inline constexpr std::size_t kAlignment = 64;  // of every block: one cache line, the widest vector

// Which free lists a block belongs to. `pieces` is for blocks that pieces of a parallel loop
// allocate: how many pieces run at the same moment differs from step to step. When one piece holds
// more blocks of a size class than any piece before it, the cache reserves such a block for every
// thread at once.
enum class Pool : bool { common, pieces };
// Pool::pieces inside a PieceScope of this thread, otherwise Pool::common.
Pool current_pool();

// Returns at least `bytes` bytes, aligned to kAlignment and not initialised. Thread-safe. Throws
// Error if the system gives no memory.
void* allocate(std::size_t bytes, Pool pool = Pool::common);
// Returns a block to the cache. `bytes` and `pool` must be those passed to `allocate`. A block of
// Pool::pieces must be returned by the thread that allocated it.
void deallocate(void* block, std::size_t bytes, Pool pool = Pool::common) noexcept;

// Marks this thread, while it lives, as running one piece of a parallel loop that `threads` threads
// share.
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
  std::size_t live_bytes;    // allocated and not yet deallocated
  std::size_t peak_bytes;    // maximum of live_bytes so far
  std::size_t system_bytes;  // total taken from the operating system
  std::size_t system_calls;  // number of requests to the operating system
};
// Counters of this process since its start.
MemoryUse memory_use();

}  // namespace terse
