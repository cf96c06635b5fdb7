// Flags of a program: names, defaults and help in one place. (CLI11, seen by one source file only.)
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "examples/run/choice.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::run {

// Returns what `read` makes of a flag's value. A UsageError of it begins with the flag.
template <class Read>
decltype(auto) for_flag(std::string_view flag, Read read) {
  try {
    return read();
  } catch (const UsageError& e) {
    const std::string_view text = e.what();
    throw UsageError(text.starts_with("--") ? std::string(text)
                                            : std::string(flag).append(": ").append(text));
  }
}

// Thrown by parse() when --help or --version was asked for and shown.
struct HelpShown {};

// Every program also takes --isa, --version and --help.
class CommandLine {
 public:
  // `example` is a whole command; --help ends with it.
  CommandLine(const std::string& program, const std::string& purpose, const std::string& example);
  ~CommandLine();

  // Each flag fills its variable; the variable's value before parse() is the default that --help
  // shows. An optional one has no default.
  CommandLine& flag(const std::string& name, std::string& value, const std::string& help);
  CommandLine& flag(const std::string& name, std::int64_t& value, const std::string& help);
  CommandLine& flag(const std::string& name, std::uint64_t& value, const std::string& help);
  CommandLine& flag(const std::string& name, bool& value, const std::string& help);
  CommandLine& flag(const std::string& name, std::optional<double>& value, const std::string& help);
  CommandLine& flag(const std::string& name, std::optional<std::string>& value,
                    const std::string& help);
  template <auto kParse>
  CommandLine& flag(const std::string& name, Choice<kParse>& value, const std::string& help) {
    return flag(
        name, std::string(value.name()), [&value](const std::string& text) { value = text; }, help);
  }
  CommandLine& list(const std::string& name, std::vector<std::string>& values,
                    const std::string& help);
  CommandLine& list(const std::string& name, std::vector<std::int64_t>& values,
                    const std::string& help);
  // A word without a flag.
  CommandLine& positional(const std::string& name, std::string& value, const std::string& help);

  // UsageError for what the program does not take; HelpShown after --help and --version. Forces the
  // level of the kernels that --isa names.
  void parse(int argc, char** argv);

 private:
  CommandLine& flag(const std::string& name, const std::string& by_default,
                    const std::function<void(const std::string&)>& set, const std::string& help);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace terse::run
