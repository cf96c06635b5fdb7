#include "examples/inspect/array_statistics.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <type_traits>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/kernels/half.hpp"

namespace terse::run {
namespace {

// The data need not be aligned.
template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// Reads values of the type Stored as the widest type of their kind.
template <class Stored>
struct Reader {
  using Wide =
      std::conditional_t<std::is_floating_point_v<Stored>, double,
                         std::conditional_t<std::is_signed_v<Stored>, std::int64_t, std::uint64_t>>;
  static constexpr std::size_t kBytes = sizeof(Stored);
  static Wide at(const std::byte* from) { return load<Stored>(from); }
};
template <float kFromHalf(std::uint16_t)>
struct HalfReader {
  using Wide = double;
  static constexpr std::size_t kBytes = 2;
  static double at(const std::byte* from) { return kFromHalf(load<std::uint16_t>(from)); }
};

// Calls use(reader) with the reader of a type of the format.
template <class Use>
auto with_reader(std::string_view type, const Use& use) {
  if (type == "F64") return use(Reader<double>());
  if (type == "F32") return use(Reader<float>());
  if (type == "F16") return use(HalfReader<kernels::from_fp16>());
  if (type == "BF16") return use(HalfReader<kernels::from_bf16>());
  if (type == "I64") return use(Reader<std::int64_t>());
  if (type == "I32") return use(Reader<std::int32_t>());
  if (type == "I16") return use(Reader<std::int16_t>());
  if (type == "I8") return use(Reader<std::int8_t>());
  if (type == "U64") return use(Reader<std::uint64_t>());
  if (type == "U32") return use(Reader<std::uint32_t>());
  if (type == "U16") return use(Reader<std::uint16_t>());
  internal_check(type == "U8" || type == "BOOL", "array type {}", type);
  return use(Reader<std::uint8_t>());
}

// The 2-norm of the finite values among value(0), …, value(n - 1), the largest magnitude of which
// is `most`. The values are scaled, so that no square of one is infinite or zero.
template <class Value>
double norm_of(std::int64_t n, double most, const Value& value) {
  if (most == 0) return 0;
  const double scale = std::ldexp(1.0, std::ilogb(most));
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double x = value(i) / scale;
    if (std::isfinite(x)) sum += x * x;
  }
  return scale * std::sqrt(sum);
}

template <class Reader>
ArrayStatistics statistics_by(std::span<const std::byte> data) {
  using Wide = typename Reader::Wide;
  constexpr bool kFloats = std::is_same_v<Wide, double>;
  ArrayStatistics s{.values = static_cast<std::int64_t>(data.size() / Reader::kBytes)};
  const auto value = [&](std::int64_t i) {
    return Reader::at(data.data() + static_cast<std::size_t>(i) * Reader::kBytes);
  };
  Wide least{}, most{};
  bool found = false;
  for (std::int64_t i = 0; i < s.values; ++i) {
    const Wide x = value(i);
    if constexpr (kFloats) {
      s.nan += std::isnan(x) ? 1 : 0;
      s.infinite += std::isinf(x) ? 1 : 0;
      if (!std::isfinite(x)) continue;
    }
    least = found ? std::min(least, x) : x;
    most = found ? std::max(most, x) : x;
    found = true;
  }
  if (found) {
    s.least = least;
    s.most = most;
  }
  if constexpr (kFloats) {
    s.norm = norm_of(s.values, std::max(std::abs(least), std::abs(most)), value);
  }
  return s;
}

// |a - b|, rounded to a double. Equal infinite values and equal NaNs never get here.
double distance(double a, double b) {
  return std::abs(a - b);
}
double distance(std::uint64_t a, std::uint64_t b) {
  return static_cast<double>(a > b ? a - b : b - a);
}
double distance(std::int64_t a, std::int64_t b) {
  const auto x = static_cast<std::uint64_t>(a), y = static_cast<std::uint64_t>(b);
  return static_cast<double>(a > b ? x - y : y - x);
}

template <class Reader>
ArrayDifference difference_by(const StoredArray& a, const StoredArray& b) {
  ArrayDifference d{.values = static_cast<std::int64_t>(a.data.size() / Reader::kBytes)};
  const auto at = [](const StoredArray& array, std::int64_t i) {
    return array.data.data() + static_cast<std::size_t>(i) * Reader::kBytes;
  };
  const auto apart = [&](std::int64_t i) {
    const auto *x = at(a, i), *y = at(b, i);
    return std::memcmp(x, y, Reader::kBytes) == 0 ? 0.0 : distance(Reader::at(x), Reader::at(y));
  };
  double largest = 0;
  bool nan = false;
  for (std::int64_t i = 0; i < d.values; ++i) {
    if (std::memcmp(at(a, i), at(b, i), Reader::kBytes) == 0) continue;
    ++d.differing;
    const double distance = apart(i);
    nan = nan || std::isnan(distance);
    if (distance > largest) largest = distance;
  }
  d.largest = nan ? NAN : largest;
  if constexpr (std::is_same_v<typename Reader::Wide, double>) {
    const auto norm = statistics_by<Reader>(a.data).norm.value_or(0);
    if (!std::isfinite(d.largest)) {
      d.relative_norm = d.largest;
    } else if (norm > 0) {
      d.relative_norm = norm_of(d.values, largest, apart) / norm;
    }
  }
  return d;
}

}  // namespace

ArrayStatistics statistics_of(const StoredArray& array) {
  auto s =
      with_reader(array.type, [&]<class R>(R /*reader*/) { return statistics_by<R>(array.data); });
  s.hash = XXH3_64bits(array.data.data(), array.data.size());
  return s;
}

ArrayDifference difference_of(const StoredArray& a, const StoredArray& b) {
  internal_check(a.type == b.type && a.data.size() == b.data.size(),
                 "difference of {} bytes of {} and {} of {}", a.data.size(), a.type, b.data.size(),
                 b.type);
  return with_reader(a.type, [&]<class R>(R /*reader*/) { return difference_by<R>(a, b); });
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return shape.empty() ? "scalar" : fmt::format("{}", fmt::join(shape, "x"));
}

std::string short_text(const Value& value, std::size_t width) {
  return std::visit(
      [&]<class T>(T exact) {
        const auto x = static_cast<double>(exact);
        const bool whole = !std::is_same_v<T, double> || (std::abs(x) >= 1e3 && std::abs(x) < 1e6);
        auto text = !whole                      ? fmt::format("{:.3g}", x)
                    : std::is_same_v<T, double> ? fmt::format("{:.0f}", x)
                                                : fmt::format("{}", exact);
        for (int digits = 3; digits > 0 && text.size() > width; --digits) {
          text = fmt::format("{:.{}g}", x, digits);
        }
        return text;
      },
      value);
}

nlohmann::json to_json(const Value& value) {
  return std::visit([](auto x) { return nlohmann::json(x); }, value);
}

}  // namespace terse::run
