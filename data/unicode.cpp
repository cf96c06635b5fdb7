#include "tersegrad/data/unicode.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

constexpr std::int32_t kNone = -1;

// U+2019 is the typographic apostrophe.
bool is_apostrophe(std::int32_t c) {
  return c == '\'' || c == 0x2019;
}
bool is_hyphen(std::int32_t c) {
  return c == '-' || c == 0x2010 || c == 0x2011;
}

bool is_space(std::int32_t c) {
  const auto category = utf8proc_category(c);
  return (c >= '\t' && c <= '\r') ||
         (category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP);
}

void append(std::int32_t c, std::string& text) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const auto count = utf8proc_encode_char(c, bytes.data());
  text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(count));
}

}  // namespace

void drop_byte_order_mark(std::string& text) {
  const std::string_view view = text;
  check(
      !view.starts_with("\xFF\xFE") && !view.starts_with("\xFE\xFF") &&
          !view.starts_with(std::string_view("\0\0\xFE\xFF", 4)),
      "expected UTF-8; got the byte order mark of UTF-16 or UTF-32; convert the text, for instance "
      "with iconv -f UTF-16 -t UTF-8");
  if (view.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
}

CodePoint first_code_point(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  if (first < 0x80) return {first, 1};
  utf8proc_int32_t value = kNone;
  const auto bytes = utf8proc_iterate(
      reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
      static_cast<utf8proc_ssize_t>(std::min<std::size_t>(text.size(), 4)), &value);
  if (bytes <= 0) return {kNone, 1};
  return {value, static_cast<std::size_t>(bytes)};
}

void check_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto [value, bytes] = first_code_point(text.substr(at));
    if (value == kNone) {
      const auto line = 1 + std::ranges::count(text.substr(0, at), '\n');
      throw Error(
          fmt::format("byte {} (line {}) is not UTF-8; convert the text, for instance with "
                      "iconv -f ISO-8859-1 -t UTF-8",
                      at, line));
    }
    at += bytes;
  }
}

bool is_word_character(std::int32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  const auto category = utf8proc_category(c);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO;
}

std::string simplified(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  bool after_word = false;
  for (std::size_t at = 0; at < text.size();) {
    const auto [c, bytes] = first_code_point(text.substr(at));
    at += bytes;
    if (utf8proc_category(c) == UTF8PROC_CATEGORY_CF) continue;
    if (c != '\n' && is_space(c)) {
      result += ' ';
      after_word = false;
    } else if (c >= 0x80 && (is_apostrophe(c) || is_hyphen(c)) && after_word && at < text.size() &&
               is_word_character(first_code_point(text.substr(at)).value)) {
      result += is_apostrophe(c) ? '\'' : '-';
      after_word = false;
    } else {
      append(utf8proc_tolower(c), result);
      after_word = is_word_character(c);
    }
  }
  return result;
}

}  // namespace terse
