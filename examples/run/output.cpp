#include "examples/run/output.hpp"

#include <cerrno>
#include <cstdio>

namespace terse::run {
namespace {

int first_failure = 0;

void remember() {
  if (first_failure == 0) first_failure = errno == 0 ? EIO : errno;
}

}  // namespace

void write_result(std::string_view text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) remember();
}

void write_note(std::string_view text, std::FILE* to) {
  std::fwrite(text.data(), 1, text.size(), to);
  std::fflush(to);
}

int output_failure() {
  errno = 0;
  if (std::fflush(stdout) != 0) remember();
  return first_failure;
}

}  // namespace terse::run
