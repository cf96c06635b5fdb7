// The flags of a program: names, defaults and help. Only command_line.cpp includes CLI11.
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

// Returns read(). A UsageError that it throws is prefixed with the flag.
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

// Thrown by parse() after it has printed --help or --version.
struct HelpShown {};

// Every program also takes --isa, --version and --help.
class CommandLine {
 public:
  // `example` is a whole command; --help ends with it.
  CommandLine(const std::string& program, const std::string& purpose, const std::string& example);
  ~CommandLine();

  using Text = const std::string&;

  // Each flag fills its variable. The value before parse() is the default that --help shows; an
  // optional has no default.
  CommandLine& flag(Text name, std::string& value, Text help);
  CommandLine& flag(Text name, std::int64_t& value, Text help);
  CommandLine& flag(Text name, std::uint64_t& value, Text help);
  CommandLine& flag(Text name, bool& value, Text help);
  CommandLine& flag(Text name, std::optional<double>& value, Text help);
  CommandLine& flag(Text name, std::optional<std::string>& value, Text help);
  template <auto kParse>
  CommandLine& flag(Text name, Choice<kParse>& value, Text help) {
    return flag(
        name, std::string(value.name()), [&value](Text text) { value = text; }, help);
  }
  // A flag that may be given several times.
  CommandLine& list(Text name, std::vector<std::string>& values, Text help);
  CommandLine& list(Text name, std::vector<std::int64_t>& values, Text help);
  // A word without a flag.
  CommandLine& positional(Text name, std::string& value, Text help);
  // All words without a flag.
  CommandLine& positional(Text name, std::vector<std::string>& values, Text help);

  // UsageError for an unknown flag or a value of the wrong type; HelpShown after --help and
  // --version. Forces the instruction set that --isa names.
  void parse(int argc, char** argv);

 private:
  using Setter = std::function<void(Text)>;
  CommandLine& flag(Text name, Text by_default, const Setter& set, Text help);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace terse::run
