// Files in the safetensors format: named arrays of numbers with their shapes, and a map of texts.
//
//   u64          length of the header, little endian
//   header       a JSON object: name -> {"dtype", "shape", "data_offsets"}, and "__metadata__"
//   data         the arrays one after the other, little endian, without holes
//
// Archives write their items in this format and load them from it.
// Source: the format's description at github.com/huggingface/safetensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tersegrad/core/archive.hpp"
#include "tersegrad/core/parallel.hpp"

namespace terse {

// An array of a file.
struct StoredArray {
  std::string type;  // as the file names it, such as "F32"
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;
};

// A parsed file. It refers to the bytes that it was made from.
class Safetensors {
 public:
  // Throws Error, with `name` as the name of the file, if the bytes are not a valid file: every
  // array must have as many bytes as its shape and type need, and the arrays must cover the data
  // without holes. Allocates no more than a small multiple of the header's size.
  Safetensors(std::string name, std::span<const std::byte> bytes);

  const std::string& name() const { return name_; }
  const std::map<std::string, StoredArray>& arrays() const { return arrays_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  // The arrays whose names begin with the scope and a slash, named without them; all arrays if the
  // scope is empty. Refers to the same bytes.
  Safetensors in_scope(std::string_view scope) const;

 private:
  Safetensors() = default;

  std::string name_;
  std::map<std::string, StoredArray> arrays_;
  std::map<std::string, std::string> metadata_;
};

struct ArrayToWrite {
  std::string name, type;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;  // as many bytes as shape and type need
};
// Writes the arrays in their order. Throws Error if the stream fails.
void write_safetensors(std::ostream& out, std::span<const ArrayToWrite> arrays,
                       const std::map<std::string, std::string>& metadata = {});

using Serialize = FunctionRef<void(Archive&)>;

// Writes the items of `serialize` as arrays. Calls it twice, to measure and to
// write, so that no second copy of the state is in memory. Both calls must pass the same items.
// Throws Error if the stream fails.
void write_safetensors(std::ostream& out, Serialize serialize,
                       const std::map<std::string, std::string>& metadata = {});

std::vector<std::byte> safetensors_of(Serialize serialize);  // the same, in memory

// Loads items by name, in any order. Throws Error if an item is missing or has another type or
// length; the error names the file and the item.
class LoadArchive final : public Archive {
 public:
  explicit LoadArchive(const Safetensors& file) : file_(file) {}

  bool loading() const override { return true; }
  // Throws Error if the file has items that were not loaded.
  void expect_all_loaded() const;

 private:
  void transfer(const Item& item) override;
  std::size_t stored_count(const std::string& name, ItemType type) const override;
  const StoredArray& find(const std::string& name, ItemType type) const;

  const Safetensors& file_;
  std::set<std::string, std::less<>> loaded_;
};

// Loads all items of `serialize` from bytes that safetensors_of or write_safetensors has written.
void load_safetensors(std::string name, std::span<const std::byte> bytes, Serialize serialize);

}  // namespace terse
