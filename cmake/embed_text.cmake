# Makes a C++ file that defines a function with the text of a file:
#
#   cmake -DTEXT=page.html -DOUT=page.cpp -DHEADER=examples/x.hpp -DFUNCTION=page_template -P embed_text.cmake
#
# The function is in namespace terse::run, takes no argument and returns a std::string_view. The bytes are an array of
# numbers: the standard allows string literals of 65 536 characters only.
cmake_minimum_required(VERSION 3.25)

file(READ "${TEXT}" bytes HEX)
string(REPEAT "." 32 line)  # 16 bytes
string(REGEX REPLACE "(${line})" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE "${OUT}" "// Made by cmake/embed_text.cmake of ${TEXT}.
#include \"${HEADER}\"

namespace terse::run {
namespace {
constexpr unsigned char kText[] = {
${bytes}};
}  // namespace

std::string_view ${FUNCTION}() {
  return {reinterpret_cast<const char*>(kText), sizeof kText};
}
}  // namespace terse::run
")
