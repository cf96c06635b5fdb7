// Output of the programs. Results go to standard output; if one cannot be written, the program
// fails at its end (program.cpp), after everything else has been saved. Progress and notes go to
// standard error, where write errors are ignored.
#pragma once

#include <fmt/core.h>

#include <cstdio>
#include <string_view>
#include <utility>

namespace terse::run {

void write_result(std::string_view text);
void write_note(std::string_view text, std::FILE* to = stderr);

// 0, or the errno of the first result that could not be written. Flushes standard output.
int output_failure();

template <class... Args>
void print(fmt::format_string<Args...> format, Args&&... args) {
  write_result(fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void note(fmt::format_string<Args...> format, Args&&... args) {
  write_note(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace terse::run
