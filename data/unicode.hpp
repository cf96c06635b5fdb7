// Validation of UTF-8 text, and its preparation for splitting into words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace terse {

// Removes a UTF-8 byte order mark. Throws Error if the text begins with the byte order mark of
// UTF-16 or UTF-32.
void drop_byte_order_mark(std::string& text);

// Throws Error with byte offset and line of the first byte that is not valid UTF-8, if there is
// one.
void check_utf8(std::string_view text);

struct CodePoint {
  std::int32_t value;
  std::size_t bytes;  // length in UTF-8
};
// The first code point of a text that is not empty. A byte that is not valid UTF-8 is returned as
// value -1 with length 1.
CodePoint first_code_point(std::string_view text);

// Returns true for letters, marks and digits of any script.
bool is_word_character(std::int32_t code_point);

// Converts the text to lower case, replaces every kind of white space except the line feed by a
// space, removes invisible format characters, and replaces any Unicode apostrophe or hyphen between
// two word characters by ' or -.
std::string simplified(std::string_view text);

}  // namespace terse
