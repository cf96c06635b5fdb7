// Archives: one function, `serialize(Archive&)`, saves, loads and hashes the whole state of an
// object.
//
// The object passes each item by name and by reference; the archive reads the item or overwrites
// it. Names are unique and form a tree: inside a scope "worker.3" the item "step" is called
// "worker.3/step". A name that is used again in its scope gets "#2", "#3", …: the two stages
// momentum+momentum need not know of each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "tersegrad/core/buffer.hpp"

namespace terse {

enum class ItemType : std::uint8_t { f32, f64, i64, u32, u64, u8 };

std::string_view to_string(ItemType type);  // the name in safetensors files: "F32", …
std::size_t size_of(ItemType type);         // bytes

template <class T>
struct ItemTypeOf;  // not defined for types that an archive does not know
template <>
struct ItemTypeOf<float> : std::integral_constant<ItemType, ItemType::f32> {};
template <>
struct ItemTypeOf<double> : std::integral_constant<ItemType, ItemType::f64> {};
template <>
struct ItemTypeOf<std::int64_t> : std::integral_constant<ItemType, ItemType::i64> {};
template <>
struct ItemTypeOf<std::uint32_t> : std::integral_constant<ItemType, ItemType::u32> {};
template <>
struct ItemTypeOf<std::uint64_t> : std::integral_constant<ItemType, ItemType::u64> {};
template <>
struct ItemTypeOf<std::byte> : std::integral_constant<ItemType, ItemType::u8> {};

template <class T>
concept ArchiveValue = requires {
  ItemTypeOf<T>::value;
};

class Archive {
 public:
  Archive() = default;
  virtual ~Archive() = default;
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  virtual bool loading() const = 0;

  // While it lives, the name of every item begins with its name and a slash.
  class Scope {
   public:
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { archive_.prefix_.resize(outer_); }

   private:
    friend class Archive;
    Scope(Archive& archive, std::string_view name);
    Archive& archive_;
    std::size_t outer_;  // length of the enclosing scope's prefix
  };
  [[nodiscard]] Scope scope(std::string_view name) { return {*this, name}; }

  // One value.
  template <ArchiveValue T>
  void item(std::string_view name, T& value) {
    array(name, std::span(&value, 1));
  }

  // An array of fixed length. Loading throws Error if the stored length differs. Files record the
  // shape, whose product is the length; without one the array has one dimension.
  template <ArchiveValue T, std::size_t N>
  void item(std::string_view name, std::span<T, N> values,
            std::span<const std::int64_t> shape = {}) {
    array<T>(name, values, shape);
  }

  // An array of any length, for which loading allocates memory. The length of a stored item is
  // bounded by the size of what is loaded.
  template <ArchiveValue T>
  void item(std::string_view name, std::vector<T>& values) {
    allocated_item<T>(name, values, [&](std::size_t n) {
      values.assign(n, T{});
      return std::span(values);
    });
  }
  template <ArchiveValue T>
  void item(std::string_view name, Buffer<T>& values) {
    allocated_item<T>(name, values.span(), [&](std::size_t n) {
      values = n == 0 ? Buffer<T>() : Buffer<T>(static_cast<std::int64_t>(n));
      return values.span();
    });
  }
  // `allocate(n)` makes room for n values and returns it; called when loading.
  template <ArchiveValue T, class Allocate>
  void allocated_item(std::string_view name, std::span<T> values, const Allocate& allocate) {
    const auto full = unique(name);
    if (loading()) values = allocate(stored_count(full, ItemTypeOf<T>::value));
    transfer_array(full, values, {});
  }

  // The names that items of single tensors get from now on, by the tensor's id.
  void set_tensor_names(std::vector<std::string> names) { tensor_names_ = std::move(names); }
  std::string tensor_name(std::uint32_t id) const;  // "tensor.3" if no name is known

 protected:
  struct Item {
    const std::string& name;
    ItemType type;
    std::span<const std::int64_t> shape;
    std::span<std::byte> data;  // the product of the shape is its number of values
  };
  // Saves, hashes or overwrites the item's data.
  virtual void transfer(const Item& item) = 0;
  // The number of stored values. Throws Error if there is no such item or it has another type. Only
  // called when loading.
  virtual std::size_t stored_count(const std::string& name, ItemType type) const = 0;

 private:
  template <ArchiveValue T>
  void array(std::string_view name, std::span<T> values, std::span<const std::int64_t> shape = {}) {
    transfer_array(unique(name), values, shape);
  }
  template <ArchiveValue T>
  void transfer_array(const std::string& name, std::span<T> values,
                      std::span<const std::int64_t> shape) {
    const auto count = static_cast<std::int64_t>(values.size());
    if (shape.data() == nullptr) shape = std::span(&count, 1);
    transfer({.name = name,
              .type = ItemTypeOf<T>::value,
              .shape = shape,
              .data = std::as_writable_bytes(values)});
  }
  std::string unique(std::string_view name);  // with the scope's prefix, and a number if need be

  std::string prefix_;
  std::set<std::string> used_;  // all names
  std::vector<std::string> tensor_names_;
};

// Archives that read an object and do not load it.
class ReadingArchive : public Archive {
 public:
  bool loading() const final { return false; }

 private:
  std::size_t stored_count(const std::string&, ItemType) const final { return 0; }
};

// 64-bit FNV-1a hash of a sequence of named pieces of data.
class Fnv1a {
 public:
  void add(std::string_view name, std::span<const std::byte> data);
  std::uint64_t hash() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

// The hash over names, lengths and bytes. Equal states have equal hashes.
class HashArchive final : public ReadingArchive {
 public:
  std::uint64_t hash() const { return hash_.hash(); }

 private:
  void transfer(const Item& item) override { hash_.add(item.name, item.data); }
  Fnv1a hash_;
};

}  // namespace terse
