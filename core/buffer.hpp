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
  Buffer& operator=(Buffer&&) = delete;

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::span<T> span() { return {data_, count_}; }
  std::span<const T> span() const { return {data_, count_}; }
  T& operator[](std::int64_t i) { return data_[i]; }

 private:
  std::size_t count_;
  Pool pool_;
  T* data_;
};

}  // namespace terse
