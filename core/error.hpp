// Exceptions. `check` is for errors of the caller, `internal_check` for bugs of tersegrad.
//
// A message reads "where: expected what; got every shape and value[; what would be right]". It is
// formatted only on failure.
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace terse {

// An error that the caller can correct: a wrong shape, a damaged file, a stalled worker. Programs
// end with exit code 1.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A wrong flag or spec string, or a wrong combination of them, found before a run starts. Programs
// end with exit code 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

// Bytes that are not a valid packet.
class PacketError : public Error {
 public:
  using Error::Error;
};

// A bug in tersegrad itself.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

template <class Exception = Error, class... Args>
void check(bool ok, fmt::format_string<Args...> format, Args&&... args) {
  if (!ok) [[unlikely]] {
    throw Exception(fmt::format(format, std::forward<Args>(args)...));
  }
}

template <class... Args>
void internal_check(bool ok, fmt::format_string<Args...> format, Args&&... args) {
  if (!ok) [[unlikely]] {
    throw InternalError("internal error: " + fmt::format(format, std::forward<Args>(args)...));
  }
}

}  // namespace terse
