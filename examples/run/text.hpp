// Texts for a terminal: bytes, long lines, and names from files.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace terse::run {

// "01234567 89ab"
std::string hex_text(std::span<const std::byte> bytes);
// Breaks the text, UTF-8, into lines of at most `width` characters: at a space, else after a comma,
// else anywhere.
std::vector<std::string> wrapped(const std::string& text, std::size_t width);
// "1 array", "13 arrays"
std::string count_text(std::size_t count, std::string_view noun);
// The text with '?' for each control character, so that a file's contents cannot control a
// terminal.
std::string printable(std::string_view text);

}  // namespace terse::run
