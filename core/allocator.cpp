#include "tersegrad/core/allocator.hpp"

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

struct Counters {
  std::atomic<std::size_t> live{0}, peak{0}, system{0}, calls{0};

  void add_live(std::size_t bytes) {
    const std::size_t now = live.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    std::size_t seen = peak.load(std::memory_order_relaxed);
    while (now > seen && !peak.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
    }
  }
  void add_system(std::size_t bytes) {
    system.fetch_add(bytes, std::memory_order_relaxed);
    calls.fetch_add(1, std::memory_order_relaxed);
  }
};

Counters& counters() {
  static Counters instance;
  return instance;
}

thread_local int piece_threads = 0;  // threads of the loop whose piece this thread runs; 0: none

#ifdef TERSE_CACHING_ALLOCATOR

// A stack of free blocks. The links are stored in the blocks themselves, so `push` allocates
// nothing and cannot fail.
class FreeList {
 public:
  bool empty() const { return first_ == nullptr; }
  void push(void* block) {
    std::memcpy(block, &first_, sizeof first_);
    first_ = block;
  }
  void* pop() {
    void* block = first_;
    std::memcpy(&first_, block, sizeof first_);
    return block;
  }

 private:
  void* first_ = nullptr;
};

// Size classes: four for each power of two, from 64 bytes up. A freed block returns to its
// class, last in first out, so that the next tensor of that size gets memory that is still in
// the CPU cache.
class Cache {
 public:
  static constexpr int kClasses = 4 * 42;

  void* take(std::size_t bytes, Pool pool) {
    const int c = size_class(bytes);
    const auto index = static_cast<std::size_t>(c);
    const std::lock_guard lock(mutex_);
    auto& free = free_of(pool)[index];
    if (pool == Pool::pieces && ++held_[index] > reserved_[index]) {
      // No piece has held so many blocks of this class before: reserve one for every thread.
      reserved_[index] = held_[index];
      for (int i = 0; i < piece_threads; ++i) free.push(carve(class_bytes(c)));
    }
    if (free.empty()) return carve(class_bytes(c));
    return free.pop();
  }

  void give(void* block, std::size_t bytes, Pool pool) {
    const auto index = static_cast<std::size_t>(size_class(bytes));
    const std::lock_guard lock(mutex_);
    if (pool == Pool::pieces) --held_[index];
    free_of(pool)[index].push(block);
  }

 private:
  static constexpr std::size_t kSlab = std::size_t{2} << 20;  // a huge page

  // The smallest class whose blocks have at least `bytes` bytes. Class 4 o + q has
  // 64 · 2^o · (1 + q/4) bytes, rounded up to whole cache lines.
  static int size_class(std::size_t bytes) {
    const std::size_t lines = bytes <= kAlignment ? 1 : (bytes + kAlignment - 1) / kAlignment;
    const int octave = static_cast<int>(std::bit_width(lines)) - 1;
    for (int c = 4 * octave;; ++c) {
      if (class_bytes(c) >= bytes) return c;
    }
  }
  static std::size_t class_bytes(int c) {
    const std::size_t base = kAlignment << (c / 4);
    const std::size_t size = base + base / 4 * static_cast<std::size_t>(c % 4);
    return (size + kAlignment - 1) / kAlignment * kAlignment;
  }

  void* carve(std::size_t bytes) {
    if (bytes > left_) {
      if (bytes >= kSlab) return map(bytes);  // a large block gets its own mapping
      slab_ = static_cast<std::byte*>(map(kSlab));
      left_ = kSlab;
    }
    void* block = slab_;
    slab_ += bytes;
    left_ -= bytes;
    return block;
  }

  // Maps whole huge pages, aligned to their size. They are never unmapped, because the next
  // training steps allocate the same sizes again.
  static void* map(std::size_t bytes) {
    const std::size_t size = (bytes + kSlab - 1) / kSlab * kSlab;
    void* raw =
        mmap(nullptr, size + kSlab, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(raw != MAP_FAILED, "allocate: cannot allocate {} bytes: {}", size, std::strerror(errno));
    const auto address = reinterpret_cast<std::uintptr_t>(raw);
    const auto aligned = (address + kSlab - 1) / kSlab * kSlab;
    if (aligned > address) munmap(raw, aligned - address);
    munmap(reinterpret_cast<void*>(aligned + size), address + kSlab - aligned);
    void* block = reinterpret_cast<void*>(aligned);
    madvise(block, size, MADV_HUGEPAGE);  // only a hint: without huge pages it is slower
    counters().add_system(size);
    return block;
  }

  using FreeLists = std::array<FreeList, kClasses>;
  FreeLists& free_of(Pool pool) { return pool == Pool::common ? free_ : free_for_pieces_; }

  std::mutex mutex_;
  FreeLists free_, free_for_pieces_;                    // guarded by mutex_
  std::array<int, kClasses> reserved_{};                // blocks reserved for each thread; likewise
  static thread_local std::array<int, kClasses> held_;  // blocks held by the piece of this thread
  std::byte* slab_ = nullptr;                           // free part of the newest slab; likewise
  std::size_t left_ = 0;
};

thread_local std::array<int, Cache::kClasses> Cache::held_{};

// Leaked on purpose: tensors with static lifetime may be freed after a static cache was destroyed.
Cache& cache() {
  static Cache& instance = *new Cache;
  return instance;
}

#endif

}  // namespace

#ifdef TERSE_CACHING_ALLOCATOR

void* allocate(std::size_t bytes, Pool pool) {
  void* block = cache().take(bytes, pool);
  counters().add_live(bytes);
  return block;
}

void deallocate(void* block, std::size_t bytes, Pool pool) noexcept {
  counters().live.fetch_sub(bytes, std::memory_order_relaxed);
  cache().give(block, bytes, pool);
}

#else  // one allocation for each block, so that sanitizers see it; NaN shows early reads

void* allocate(std::size_t bytes, Pool) {
  void* block = ::operator new (bytes, std::align_val_t{kAlignment});
  std::memset(block, 0xFF, bytes);
  counters().add_live(bytes);
  counters().add_system(bytes);
  return block;
}

void deallocate(void* block, std::size_t bytes, Pool) noexcept {
  counters().live.fetch_sub(bytes, std::memory_order_relaxed);
  ::operator delete (block, std::align_val_t{kAlignment});
}

#endif

Pool current_pool() {
  return piece_threads > 0 ? Pool::pieces : Pool::common;
}
PieceScope::PieceScope(int threads) : before_(std::exchange(piece_threads, threads)) {}
PieceScope::~PieceScope() {
  piece_threads = before_;
}

MemoryUse memory_use() {
  const auto& c = counters();
  return {c.live.load(), c.peak.load(), c.system.load(), c.calls.load()};
}

}  // namespace terse
