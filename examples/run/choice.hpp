// The value of a flag that is one of a few names: an enum, parsed once.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

#include "tersegrad/core/error.hpp"

namespace terse::run {

// `kParse` returns the enum's value for a name; UsageError lists the known names. An unknown name
// is kept as its error until `value` throws it, so that the order in which complete() checks the
// flags decides which error the user gets.
template <auto kParse>
class Choice {
 public:
  using Value = decltype(kParse(std::string_view()));

  Choice(Value value) : value_(value) {}
  Choice(const std::convertible_to<std::string_view> auto& name) {
    try {
      value_ = kParse(name);
    } catch (const UsageError& e) {
      error_ = e.what();
    }
  }

  Value value() const {
    if (!error_.empty()) throw UsageError(error_);
    return value_;
  }
  auto name() const { return to_string(value()); }
  bool operator==(const Choice&) const = default;  // an unknown name equals no value

 private:
  Value value_ = {};
  std::string error_;
};

}  // namespace terse::run
