#include "tersegrad/core/npy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <ostream>
#include <string_view>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"

namespace terse {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little endian");

// Magic and version 1.0; then the length of the header in two bytes.
constexpr std::string_view kNpyStart("\x93NUMPY\x01\x00", 8);
constexpr std::size_t kNpyBefore = 10;

struct NumpyType {
  std::string_view name, numpy;
  std::uint64_t bytes;
};
constexpr std::array<NumpyType, 11> kNumpyTypes = {{{"F64", "<f8", 8},
                                                    {"I64", "<i8", 8},
                                                    {"U64", "<u8", 8},
                                                    {"F32", "<f4", 4},
                                                    {"I32", "<i4", 4},
                                                    {"U32", "<u4", 4},
                                                    {"F16", "<f2", 2},
                                                    {"I16", "<i2", 2},
                                                    {"I8", "|i1", 1},
                                                    {"U8", "|u1", 1},
                                                    {"BOOL", "|b1", 1}}};

// The extents in "(64, 3, )"; empty if the text has another form.
std::optional<std::vector<std::int64_t>> parse_extents(std::string_view text) {
  std::vector<std::int64_t> shape;
  while (!text.empty()) {
    std::int64_t extent = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), extent);
    if (error != std::errc() || extent < 0) return std::nullopt;
    shape.push_back(extent);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const auto next = std::min(text.find_first_not_of(", "), text.size());
    if (next == 0 && !text.empty()) return std::nullopt;
    text.remove_prefix(next);
  }
  return shape;
}

// The shape that a header states, if its values are float32 in C order.
std::optional<std::vector<std::int64_t>> shape_in(std::string_view header) {
  constexpr std::string_view kFloats = "'descr': '<f4'", kOrder = "'fortran_order': False",
                             kShape = "'shape': (";
  const auto at = header.find(kShape);
  if (header.find(kFloats) == std::string_view::npos ||
      header.find(kOrder) == std::string_view::npos || at == std::string_view::npos) {
    return std::nullopt;
  }
  const auto extents = header.substr(at + kShape.size());
  const auto end = extents.find(')');
  return end == std::string_view::npos ? std::nullopt : parse_extents(extents.substr(0, end));
}

// Whether the shape has exactly `values` values. A product beyond them is never computed.
bool has_values(const std::vector<std::int64_t>& shape, std::size_t values) {
  if (std::ranges::find(shape, 0) != shape.end()) return values == 0;
  std::size_t left = values;
  for (const auto extent : shape) {
    if (left % static_cast<std::size_t>(extent) != 0) return false;
    left /= static_cast<std::size_t>(extent);
  }
  return left == 1;
}

}  // namespace

std::string npy_header(const ArrayToWrite& array, const std::string& file) {
  const auto* type = std::ranges::find(kNumpyTypes, array.type, &NumpyType::name);
  check(type != kNumpyTypes.end(), "'{}': array {}: expected a type that NumPy has; got {}", file,
        array.name, array.type);
  std::uint64_t bytes = type->bytes;
  std::string shape;
  for (const auto extent : array.shape) {
    bytes *= static_cast<std::uint64_t>(extent);
    shape += fmt::format("{}, ", extent);
  }
  check(bytes == array.data.size(), "'{}': array {}: expected {} bytes for ({}) of {}; got {}",
        file, array.name, bytes, shape, array.type, array.data.size());

  constexpr std::size_t kUnit = 64;
  std::string text =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type->numpy, shape);
  text.append(kUnit - 1 - (kNpyBefore + text.size()) % kUnit, ' ');
  text += '\n';
  std::string header(kNpyStart);
  header += static_cast<char>(text.size() & 0xFF);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

void write_npy(const std::filesystem::path& file, const ArrayToWrite& array) {
  const auto header = npy_header(array, file.string());
  write_file(file, [&](std::ostream& out) {
    out << header;
    out.write(reinterpret_cast<const char*>(array.data.data()),
              static_cast<std::streamsize>(array.data.size()));
  });
}

FloatArray read_npy(const std::filesystem::path& file) {
  const auto bytes = read_file(file);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  check(text.starts_with(kNpyStart) && text.size() >= kNpyBefore,
        "'{}': expected a file in NumPy's format .npy, version 1.0", file.string());
  const auto length = static_cast<std::size_t>(bytes[8]) | static_cast<std::size_t>(bytes[9]) << 8;
  check(length <= text.size() - kNpyBefore, "'{}': expected a header of {} bytes; the file is cut",
        file.string(), length);
  const auto shape = shape_in(text.substr(kNpyBefore, length));
  check(shape.has_value(), "'{}': expected float32 values in C order, and their shape",
        file.string());
  const auto values = text.substr(kNpyBefore + length);
  check(values.size() % sizeof(float) == 0 && has_values(*shape, values.size() / sizeof(float)),
        "'{}': expected as many float32 values as its shape ({}) states; got {} bytes",
        file.string(), fmt::join(*shape, ", "), values.size());
  FloatArray array{.shape = *shape, .values = std::vector<float>(values.size() / sizeof(float))};
  if (!values.empty()) std::memcpy(array.values.data(), values.data(), values.size());
  return array;
}

}  // namespace terse
