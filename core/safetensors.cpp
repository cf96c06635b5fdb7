#include "tersegrad/core/safetensors.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <sstream>
#include <utility>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little endian");

constexpr std::uint64_t kLongestHeader = 100'000'000;  // of the format
constexpr std::string_view kMetadata = "__metadata__";

std::optional<std::size_t> bytes_of_type(std::string_view type) {
  static constexpr std::array<std::pair<std::string_view, std::size_t>, 12> kTypes = {
      {{"F64", 8},
       {"I64", 8},
       {"U64", 8},
       {"F32", 4},
       {"I32", 4},
       {"U32", 4},
       {"F16", 2},
       {"BF16", 2},
       {"I16", 2},
       {"I8", 1},
       {"U8", 1},
       {"BOOL", 1}}};
  const auto found =
      std::ranges::find(kTypes, type, &std::pair<std::string_view, std::size_t>::first);
  return found == kTypes.end() ? std::nullopt : std::optional(found->second);
}

// a · b, or nothing if it is above 2^62.
std::optional<std::uint64_t> checked_product(std::uint64_t a, std::uint64_t b) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
  if (b != 0 && a > kMost / b) return std::nullopt;
  return a * b;
}

// Reads one entry of the header.
struct Entry {
  StoredArray array;
  std::uint64_t begin = 0, end = 0;  // in the data
};

Entry parse_entry(const std::string& file, const std::string& name, const nlohmann::json& json,
                  std::span<const std::byte> data) {
  const auto require = [&](bool holds, std::string_view expected) {
    check(holds, "{}: array {}: expected {}; got {}", file, name, expected,
          json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace).substr(0, 200));
  };
  const auto unsigned_array = [](const nlohmann::json& list) {
    return list.is_array() &&
           std::ranges::all_of(list, [](const auto& n) { return n.is_number_unsigned(); });
  };
  require(json.is_object() && json.contains("dtype") && json["dtype"].is_string() &&
              json.contains("shape") && unsigned_array(json["shape"]) &&
              json.contains("data_offsets") && unsigned_array(json["data_offsets"]) &&
              json["data_offsets"].size() == 2,
          R"({"dtype": text, "shape": [...], "data_offsets": [begin, end]})");
  Entry entry;
  entry.begin = json["data_offsets"][0];
  entry.end = json["data_offsets"][1];
  entry.array.type = json["dtype"];
  const auto unit = bytes_of_type(entry.array.type);
  require(unit.has_value(), "a type of F64, F32, F16, BF16, I8 to I64, U8 to U64 or BOOL");
  std::optional<std::uint64_t> bytes = unit;
  for (const std::uint64_t extent : json["shape"]) {
    if (bytes) bytes = checked_product(*bytes, extent);
    require(extent <= std::numeric_limits<std::int64_t>::max(), "extents below 2^63");
    entry.array.shape.push_back(static_cast<std::int64_t>(extent));
  }
  require(bytes && entry.begin <= entry.end && entry.end - entry.begin == *bytes,
          "as many bytes as the shape and the type need");
  require(entry.end <= data.size(), fmt::format("an end within the {} bytes of data", data.size()));
  entry.array.data = data.subspan(entry.begin, entry.end - entry.begin);
  return entry;
}

}  // namespace

Safetensors::Safetensors(std::string name, std::span<const std::byte> bytes)
    : name_(std::move(name)) {
  std::uint64_t length = 0;
  check(bytes.size() >= sizeof length, "{}: expected a safetensors file; got {} bytes", name_,
        bytes.size());
  std::memcpy(&length, bytes.data(), sizeof length);
  bytes = bytes.subspan(sizeof length);
  check(length <= kLongestHeader && length <= bytes.size(),
        "{}: expected a safetensors file; its header has {} bytes of the {} that follow", name_,
        length, bytes.size());
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  const auto json = nlohmann::json::parse(text, text + length, nullptr, false);
  check(json.is_object(), "{}: expected a JSON object as the header of a safetensors file", name_);
  const auto data = bytes.subspan(length);

  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  for (const auto& [key, value] : json.items()) {
    if (key == kMetadata) {
      check(value.is_object(), "{}: expected an object of texts as {}", name_, kMetadata);
      for (const auto& [label, content] : value.items()) {
        check(content.is_string(), "{}: expected a text as {} of {}", name_, label, kMetadata);
        metadata_[label] = content;
      }
      continue;
    }
    auto entry = parse_entry(name_, key, value, data);
    ranges.emplace_back(entry.begin, entry.end);
    arrays_.emplace(key, std::move(entry.array));
  }
  std::ranges::sort(ranges);
  std::uint64_t covered = 0;
  for (const auto& [begin, end] : ranges) {
    check(begin == covered, "{}: expected an array that begins at byte {} of the data; got {}",
          name_, covered, begin);
    covered = end;
  }
  check(covered == data.size(), "{}: expected {} bytes of data; got {}", name_, covered,
        data.size());
}

Safetensors Safetensors::in_scope(std::string_view scope) const {
  const auto prefix = scope.empty() ? std::string() : std::string(scope) + '/';
  Safetensors part;
  part.name_ = fmt::format("{}, {}", name_, scope);
  for (auto i = arrays_.lower_bound(prefix); i != arrays_.end() && i->first.starts_with(prefix);
       ++i) {
    part.arrays_.emplace(i->first.substr(prefix.size()), i->second);
  }
  return part;
}

namespace {

// The length and the text of the header. `arrays` may lack their data; `bytes` has the sizes.
void write_header(std::ostream& out, std::span<const ArrayToWrite> arrays,
                  std::span<const std::size_t> bytes,
                  const std::map<std::string, std::string>& metadata) {
  std::string text;
  const auto add = [&](std::string_view name, const nlohmann::json& value) {
    text +=
        fmt::format("{}{}:{}", text.empty() ? '{' : ',', nlohmann::json(name).dump(), value.dump());
  };
  if (!metadata.empty()) add(kMetadata, metadata);
  std::size_t begin = 0;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    add(arrays[i].name, {{"dtype", arrays[i].type},
                         {"shape", arrays[i].shape},
                         {"data_offsets", {begin, begin + bytes[i]}}});
    begin += bytes[i];
  }
  text += text.empty() ? "{}" : "}";
  text.append((8 - text.size() % 8) % 8, ' ');  // the data begin at a multiple of 8
  const std::uint64_t length = text.size();
  out.write(reinterpret_cast<const char*>(&length), sizeof length);
  out << text;
}

void write_bytes(std::ostream& out, std::span<const std::byte> data) {
  out.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size()));
}

// First pass: the header.
class MeasureArchive final : public ReadingArchive {
 public:
  std::vector<ArrayToWrite> items;  // without data
  std::vector<std::size_t> bytes;

 private:
  void transfer(const Item& item) override {
    items.push_back(
        {item.name, std::string(to_string(item.type)), {item.shape.begin(), item.shape.end()}, {}});
    bytes.push_back(item.data.size());
  }
};

// Second pass: the data.
class WriteArchive final : public ReadingArchive {
 public:
  WriteArchive(std::ostream& out, const MeasureArchive& measured)
      : out_(out), measured_(measured) {}
  void expect_all_written() const {
    check(next_ == measured_.items.size(), "archive: expected {} items; got {}",
          measured_.items.size(), next_);
  }

 private:
  void transfer(const Item& item) override {
    check(next_ < measured_.items.size() && measured_.items[next_].name == item.name &&
              measured_.bytes[next_] == item.data.size(),
          "archive: item {} of {} bytes was not measured before", item.name, item.data.size());
    ++next_;
    write_bytes(out_, item.data);
  }

  std::ostream& out_;
  const MeasureArchive& measured_;
  std::size_t next_ = 0;
};

}  // namespace

void write_safetensors(std::ostream& out, std::span<const ArrayToWrite> arrays,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<std::size_t> bytes;
  for (const auto& array : arrays) bytes.push_back(array.data.size());
  write_header(out, arrays, bytes, metadata);
  for (const auto& array : arrays) write_bytes(out, array.data);
  check(out.good(), "safetensors: writing failed");
}

void write_safetensors(std::ostream& out, Serialize serialize,
                       const std::map<std::string, std::string>& metadata) {
  MeasureArchive measured;
  serialize(measured);
  write_header(out, measured.items, measured.bytes, metadata);
  WriteArchive data(out, measured);
  serialize(data);
  data.expect_all_written();
  check(out.good(), "safetensors: writing failed");
}

std::vector<std::byte> safetensors_of(Serialize serialize) {
  std::ostringstream out;
  write_safetensors(out, serialize);
  const auto text = out.view();
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

const StoredArray& LoadArchive::find(const std::string& name, ItemType type) const {
  const auto found = file_.arrays().find(name);
  check(found != file_.arrays().end(), "{}: expected an item {}", file_.name(), name);
  check(found->second.type == to_string(type), "{}: item {}: expected type {}; got {}",
        file_.name(), name, to_string(type), found->second.type);
  return found->second;
}

std::size_t LoadArchive::stored_count(const std::string& name, ItemType type) const {
  return find(name, type).data.size() / size_of(type);
}

void LoadArchive::transfer(const Item& item) {
  const auto& stored = find(item.name, item.type).data;
  const auto unit = size_of(item.type);
  check(stored.size() == item.data.size(), "{}: item {}: expected {} values; got {}", file_.name(),
        item.name, item.data.size() / unit, stored.size() / unit);
  std::ranges::copy(stored, item.data.begin());
  loaded_.insert(item.name);
}

void LoadArchive::expect_all_loaded() const {
  for (const auto& [name, array] : file_.arrays()) {
    check(loaded_.contains(name), "{}: expected no item {}", file_.name(), name);
  }
}

void load_safetensors(std::string name, std::span<const std::byte> bytes, Serialize serialize) {
  const Safetensors file(std::move(name), bytes);
  LoadArchive archive(file);
  serialize(archive);
  archive.expect_all_loaded();
}

}  // namespace terse
