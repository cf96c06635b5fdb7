// An uninitialised array in memory of the caching allocator: scratch of kernels, and state that a
// backward closure keeps besides tensors. Throws Error if the system gives no memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "tersegrad/core/allocator.hpp"

namespace terse {

template <class T>
requires std::is_trivially_copyable_v<T>
class Buffer {
 public:
  Buffer() = default;  // no values, no memory
  explicit Buffer(std::int64_t count)
      : count_(static_cast<std::size_t>(count)),
        pool_(current_pool()),
        data_(static_cast<T*>(allocate(count_ * sizeof(T), pool_))) {}
  ~Buffer() {
    if (data_ != nullptr) deallocate(data_, count_ * sizeof(T), pool_);
  }
  Buffer(Buffer&& other) noexcept
      : count_(std::exchange(other.count_, 0)),
        pool_(other.pool_),
        data_(std::exchange(other.data_, nullptr)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(count_, other.count_);
    std::swap(pool_, other.pool_);
    std::swap(data_, other.data_);
    return *this;
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::span<T> span() { return {data_, count_}; }
  std::span<const T> span() const { return {data_, count_}; }
  T& operator[](std::int64_t i) { return data_[i]; }

 private:
  std::size_t count_ = 0;
  Pool pool_{};
  T* data_ = nullptr;
};

}  // namespace terse
