// Archives: one function, `serialize(Archive&)`, saves, loads and hashes the whole state of an
// object.
//
// The object passes each item by name and by reference; the archive reads the item or overwrites
// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace terse {

class Archive {
 public:
  virtual ~Archive() = default;
  virtual bool loading() const = 0;

  // Raw bytes; loading expects the same length as saving.
  virtual void bytes(std::string_view name, std::span<std::byte> data) = 0;
  // Like `bytes`, for model values: an archive can tell them from counts and other numbers.
  virtual void floats(std::string_view name, std::span<float> values) {
    bytes(name, std::as_writable_bytes(values));
  }

  void item(std::string_view name, std::uint32_t& value) { pod(name, value); }
  void item(std::string_view name, std::uint64_t& value) { pod(name, value); }
  void item(std::string_view name, std::span<float> values) { floats(name, values); }
  // The length of a vector is a separate item, `name`.length. Loading resizes the vector; it throws
  // Error for a length of 2^40 or more.
  void item(std::string_view name, std::vector<float>& values);

 private:
  template <class T>
  void pod(std::string_view name, T& value) {
    bytes(name, std::as_writable_bytes(std::span(&value, 1)));
  }
};

// Appends every item to a buffer: the lengths of its name and of its data (8 bytes each), its name,
// its data.
class SaveArchive final : public Archive {
 public:
  bool loading() const override { return false; }
  void bytes(std::string_view name, std::span<std::byte> data) override;
  const std::vector<std::byte>& buffer() const { return buffer_; }

 private:
  std::vector<std::byte> buffer_;
};

// Fills every item from the buffer of a SaveArchive. Throws Error if the next item has another name
// or another length.
class LoadArchive final : public Archive {
 public:
  explicit LoadArchive(std::span<const std::byte> buffer) : rest_(buffer) {}
  bool loading() const override { return true; }
  void bytes(std::string_view name, std::span<std::byte> data) override;
  bool done() const { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
};

// 64-bit FNV-1a hash over names, lengths and bytes. Equal states have equal hashes.
class HashArchive final : public Archive {
 public:
  bool loading() const override { return false; }
  void bytes(std::string_view name, std::span<std::byte> data) override { add(name, data); }
  // Like `bytes`, for data that cannot be modified.
  void add(std::string_view name, std::span<const std::byte> data);
  std::uint64_t hash() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

}  // namespace terse
