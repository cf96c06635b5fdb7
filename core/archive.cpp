#include "tersegrad/core/archive.hpp"

#include <fmt/format.h>

#include <array>

#include "tersegrad/core/error.hpp"

namespace terse {

std::string_view to_string(ItemType type) {
  constexpr std::array<std::string_view, 6> kNames = {"F32", "F64", "I64", "U32", "U64", "U8"};
  return kNames.at(static_cast<std::size_t>(type));
}

std::size_t size_of(ItemType type) {
  if (type == ItemType::u8) return 1;
  return type == ItemType::f32 || type == ItemType::u32 ? 4 : 8;
}

Archive::Scope::Scope(Archive& archive, std::string_view name)
    : archive_(archive), outer_(archive.prefix_.size()) {
  archive.prefix_ = archive.unique(name) + '/';
}

std::string Archive::unique(std::string_view name) {
  const auto first = prefix_ + std::string(name);
  auto full = first;
  for (int use = 2; !used_.insert(full).second; ++use) full = fmt::format("{}#{}", first, use);
  return full;
}

std::string Archive::tensor_name(std::uint32_t id) const {
  return id < tensor_names_.size() ? tensor_names_[id] : fmt::format("tensor.{}", id);
}

void Fnv1a::add(std::string_view name, std::span<const std::byte> data) {
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
