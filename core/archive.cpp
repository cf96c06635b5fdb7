#include "tersegrad/core/archive.hpp"

#include <algorithm>
#include <cstring>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

void append(std::vector<std::byte>& buffer, std::span<const std::byte> data) {
  buffer.insert(buffer.end(), data.begin(), data.end());
}

// The header of an item. The name and the data follow it.
struct ItemHeader {
  std::uint64_t name_length, data_length;
};

}  // namespace

void Archive::item(std::string_view name, std::vector<float>& values) {
  std::uint64_t length = values.size();
  item(std::string(name) + ".length", length);
  if (loading()) {
    check(length < (1ULL << 40), "archive: {}: expected fewer than 2^40 values; got {}", name,
          length);
    values.resize(length);
  }
  item(name, std::span<float>(values));
}

void SaveArchive::bytes(std::string_view name, std::span<std::byte> data) {
  const ItemHeader header{name.size(), data.size()};
  append(buffer_, std::as_bytes(std::span(&header, 1)));
  append(buffer_, std::as_bytes(std::span(name)));
  append(buffer_, data);
}

void LoadArchive::bytes(std::string_view name, std::span<std::byte> data) {
  ItemHeader header{};
  check(rest_.size() >= sizeof header, "archive: expected item {}; got the end of the data", name);
  std::memcpy(&header, rest_.data(), sizeof header);
  rest_ = rest_.subspan(sizeof header);
  check(header.name_length == name.size() && header.data_length == data.size() &&
            rest_.size() >= name.size() && rest_.size() - name.size() >= data.size() &&
            std::memcmp(rest_.data(), name.data(), name.size()) == 0,
        "archive: expected item {} of {} bytes; got another item or a truncated one, of {} bytes",
        name, data.size(), header.data_length);
  rest_ = rest_.subspan(name.size());
  std::copy_n(rest_.begin(), data.size(), data.begin());
  rest_ = rest_.subspan(data.size());
}

void HashArchive::add(std::string_view name, std::span<const std::byte> data) {
  const auto mix = [&](std::span<const std::byte> part) {
    for (const auto b : part) {
      hash_ = (hash_ ^ std::to_integer<std::uint64_t>(b)) * 0x100000001b3ULL;
    }
  };
  const std::uint64_t length = data.size();
  mix(std::as_bytes(std::span(name)));
  mix(std::as_bytes(std::span(&length, 1)));
  mix(data);
}

}  // namespace terse
