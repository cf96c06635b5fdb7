#include "examples/run/command_line.hpp"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <limits>
#include <string>

#include "examples/run/output.hpp"
#include "examples/run/version.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/simd/isa.hpp"
#include "tersegrad/core/spec.hpp"

namespace terse::run {

struct CommandLine::Impl {
  CLI::App app;
  std::vector<std::string> names;
  std::string isa = "auto";
  bool version = false;

  CLI::App& add(const std::string& flag) {
    names.push_back(flag);
    return app;
  }
};

CommandLine::CommandLine(const std::string& program, const std::string& purpose,
                         const std::string& example)
    : impl_(std::make_unique<Impl>()) {
  impl_->app.name(program);
  impl_->app.description(purpose);
  impl_->app.footer("Example:\n  " + example);
  impl_->app.get_formatter()->column_width(28);
  // What every program takes.
  flag("--isa", impl_->isa, "instruction set of the kernels: " + isa_list(compiled_isas()));
  flag("--version", impl_->version, "print the version and the kernels for this CPU");
}
CommandLine::~CommandLine() = default;

namespace {

// A whole number in decimal digits: 010 is ten. UsageError for anything else.
template <class Integer>
Integer parse_integer(const std::string& flag, const std::string& text) {
  Integer value{};
  const bool plus = text.starts_with('+');
  const char *first = text.data() + (plus ? 1 : 0), *end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(first, end, value);
  check<UsageError>(error == std::errc() && stop == end && !(plus && *first == '-'),
                    "{}: expected a whole number from {} to {}; got '{}'", flag,
                    std::numeric_limits<Integer>::min(), std::numeric_limits<Integer>::max(), text);
  return value;
}

}  // namespace

CommandLine& CommandLine::flag(Text name, std::string& value, Text help) {
  impl_->add(name).add_option(name, value, help)->capture_default_str();
  return *this;
}
CommandLine& CommandLine::flag(Text name, std::int64_t& value, Text help) {
  const auto set = [name, &value](Text text) { value = parse_integer<std::int64_t>(name, text); };
  return flag(name, std::to_string(value), set, help);
}
CommandLine& CommandLine::flag(Text name, std::uint64_t& value, Text help) {
  const auto set = [name, &value](Text text) { value = parse_integer<std::uint64_t>(name, text); };
  return flag(name, std::to_string(value), set, help);
}
CommandLine& CommandLine::flag(Text name, bool& value, Text help) {
  impl_->add(name).add_flag(name, value, help);
  return *this;
}
CommandLine& CommandLine::flag(Text name, std::optional<double>& value, Text help) {
  impl_->add(name).add_option(name, value, help);
  return *this;
}
CommandLine& CommandLine::flag(Text name, std::optional<std::string>& value, Text help) {
  impl_->add(name).add_option(name, value, help);
  return *this;
}
CommandLine& CommandLine::flag(Text name, Text by_default, const Setter& set, Text help) {
  impl_->add(name).add_option_function<std::string>(name, set, help)->default_str(by_default);
  return *this;
}
CommandLine& CommandLine::list(Text name, std::vector<std::string>& values, Text help) {
  impl_->add(name).add_option(name, values, help)->allow_extra_args(false);
  return *this;
}
CommandLine& CommandLine::list(Text name, std::vector<std::int64_t>& values, Text help) {
  const auto set = [name, &values](const std::vector<std::string>& words) {
    values.clear();
    for (const auto& word : words) values.push_back(parse_integer<std::int64_t>(name, word));
  };
  impl_->add(name)
      .add_option_function<std::vector<std::string>>(name, set, help)
      ->allow_extra_args(false);
  return *this;
}
CommandLine& CommandLine::positional(Text name, std::string& value, Text help) {
  impl_->app.add_option(name, value, help)->capture_default_str();
  return *this;
}
CommandLine& CommandLine::positional(Text name, std::vector<std::string>& values, Text help) {
  impl_->app.add_option(name, values, help);
  return *this;
}

void CommandLine::parse(int argc, char** argv) {
  try {
    impl_->app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    write_result(impl_->app.help());
    throw HelpShown();
  } catch (const CLI::ExtrasError&) {
    for (const auto& word : impl_->app.remaining()) {
      throw UsageError(unknown_name("flag", word, impl_->names));
    }
    throw;
  } catch (const CLI::ParseError& e) {
    throw UsageError(fmt::format("{}; see --help", e.what()));
  }
  if (impl_->isa != "auto") force_isa(impl_->isa);
  isa();  // an error in TERSE_ISA is one of usage
  if (impl_->version) {
    write_result(version_text());
    throw HelpShown();
  }
}

}  // namespace terse::run
