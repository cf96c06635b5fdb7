#include "examples/run/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace terse::run {

std::string hex_text(std::span<const std::byte> bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    text += fmt::format("{}{:02x}", i > 0 && i % 4 == 0 ? " " : "", std::to_integer<int>(bytes[i]));
  }
  return text;
}

namespace {

// The byte behind the first `width` characters of UTF-8 from `at` on.
std::size_t behind(const std::string& text, std::size_t at, std::size_t width) {
  const auto continues = [&](std::size_t i) { return (text[i] & 0xC0) == 0x80; };
  for (; width > 0 && at < text.size(); --width) {
    do ++at;
    while (at < text.size() && continues(at));
  }
  return at;
}

}  // namespace

std::vector<std::string> wrapped(const std::string& text, std::size_t width) {
  std::vector<std::string> lines;
  std::size_t at = 0;
  while (at < text.size()) {
    auto end = behind(text, at, width);
    if (end < text.size()) {
      const auto space = text.rfind(' ', end), comma = text.rfind(',', end - 1);
      if (space != std::string::npos && space > at) {
        end = space;
      } else if (comma != std::string::npos && comma > at) {
        end = comma + 1;
      }
    }
    lines.push_back(text.substr(at, end - at));
    at = text.find_first_not_of(' ', end);
  }
  return lines;
}

std::string count_text(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string printable(std::string_view text) {
  std::string shown(text);
  std::ranges::replace_if(
      shown, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return shown;
}

}  // namespace terse::run
