// Byte buffers, and readers and writers of little-endian values that check every length.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "tersegrad/core/error.hpp"

namespace terse {

static_assert(std::endian::native == std::endian::little, "the wire format is little-endian");

// Allocator of vectors whose resize leaves new elements uninitialised. It is for buffers that are
// overwritten at once.
template <class T>
struct UninitialisedAllocator : std::allocator<T> {
  template <class U>
  struct rebind {
    using other = UninitialisedAllocator<U>;
  };
  template <class U>
  void construct(U* p) noexcept {
    ::new (static_cast<void*>(p)) U;
  }
  template <class U, class... Args>
  void construct(U* p, Args&&... args) {
    ::new (static_cast<void*>(p)) U(std::forward<Args>(args)...);
  }
};
using ByteVector = std::vector<std::byte, UninitialisedAllocator<std::byte>>;

// Reads values from the front of a byte span. Throws PacketError if too few bytes are left.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : rest_(bytes) {}

  template <class T>
  requires std::is_trivially_copyable_v<T> T get() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void get(std::span<T> values) {
    if (!values.empty())
      std::memcpy(values.data(), take(values.size_bytes()).data(), values.size_bytes());
  }
  std::span<const std::byte> take(std::size_t size) {
    check<PacketError>(size <= rest_.size(), "packet: expected {} more bytes; got {}", size,
                       rest_.size());
    const auto front = rest_.first(size);
    rest_ = rest_.subspan(size);
    return front;
  }
  std::size_t left() const { return rest_.size(); }
  // The last call: throws PacketError if bytes are left.
  void finish() const {
    check<PacketError>(rest_.empty(), "packet: {} bytes too long", rest_.size());
  }

 private:
  std::span<const std::byte> rest_;
};

// Writes values to the front of a byte span whose size is exactly that of all values written.
// Throws InternalError if a value does not fit.
class ByteWriter {
 public:
  explicit ByteWriter(std::span<std::byte> bytes) : rest_(bytes) {}

  template <class T>
  requires std::is_trivially_copyable_v<T>
  void put(const T& value) { std::memcpy(take(sizeof(T)).data(), &value, sizeof(T)); }
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void put(std::span<const T> values) {
    if (!values.empty())
      std::memcpy(take(values.size_bytes()).data(), values.data(), values.size_bytes());
  }
  std::span<std::byte> take(std::size_t size) {
    internal_check(size <= rest_.size(), "ByteWriter: expected at most {} bytes; got {}",
                   rest_.size(), size);
    const auto front = rest_.first(size);
    rest_ = rest_.subspan(size);
    return front;
  }

 private:
  std::span<std::byte> rest_;
};

}  // namespace terse
