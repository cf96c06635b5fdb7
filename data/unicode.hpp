// Text as Unicode: validated, and prepared for splitting into words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace terse {

// Drops a byte order mark of UTF-8. Error for UTF-16 and UTF-32, which begin with theirs.
void drop_byte_order_mark(std::string& text);

// Error with line and byte of the first byte that is no UTF-8.
void check_utf8(std::string_view text);

struct CodePoint {
  std::int32_t value;
  std::size_t bytes;  // of UTF-8
};
// The first of a text, which is not empty. What is no UTF-8 counts as one byte without a meaning.
CodePoint first_code_point(std::string_view text);

// Letters, marks and digits of any script.
bool is_word_character(std::int32_t code_point);

// The text in lower case, with every kind of space (a line feed apart) as a plain one, invisible
// format characters left out, and an apostrophe or hyphen between two word characters as ' or -,
// whichever Unicode has it as.
std::string simplified(std::string_view text);

}  // namespace terse
