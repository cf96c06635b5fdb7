// Flags whose capability does not exist yet: they are known, and refused with a clear message
// rather than ignored.
#pragma once

#include <optional>
#include <string>

namespace terse::run {

class CommandLine;

class NotYet {
 public:
  void add_flags(CommandLine& command_line);
  // UsageError for the first of them that was given.
  void refuse() const;

 private:
  std::optional<std::string> resume_;
};

}  // namespace terse::run
