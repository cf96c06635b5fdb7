#include "examples/report/short_numbers.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace terse::run {

void shorten_numbers(nlohmann::json& value, int digits) {
  if (value.is_structured()) {
    for (auto& inner : value) shorten_numbers(inner, digits);
    return;
  }
  if (!value.is_number_float()) return;
  const double number = value.get<double>();
  if (!std::isfinite(number)) return;
  const double rounded = std::strtod(fmt::format("{:.{}g}", number, digits).c_str(), nullptr);
  constexpr double kWhole = 1e15;  // below it every whole number is a double
  if (rounded == std::trunc(rounded) && std::abs(rounded) < kWhole) {
    value = static_cast<std::int64_t>(rounded);
  } else {
    value = rounded;
  }
}

}  // namespace terse::run
