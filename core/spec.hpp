// Spec strings: the one grammar that names everything, on the command line, in logs and in code.
//
//   spec  := stage ('+' stage)*
//   stage := name [':' key '=' value (',' key '=' value)*]        a key alone means key=true
//
// `topk:ratio=0.01+ef` is two stages. Every key has a default, and an unknown name or key is a
// UsageError that lists the known ones, near matches first.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace terse {

struct Stage {
  struct Option {
    std::string key;
    std::optional<std::string> value;  // empty: the key stood alone
  };
  std::string name;
  std::vector<Option> options;
  std::string to_string() const;
};

struct Spec {
  std::vector<Stage> stages;

  static Spec parse(std::string_view text);  // throws UsageError, with the place
  std::string to_string() const;             // parse(to_string()) is the same spec
};

// Parses a spec that must have exactly one stage; `what` names it in the error ("model", "data").
Stage parse_stage(std::string_view what, std::string_view text);

// Reads one stage's options by name and type. Call `finish` after the last of them.
class Options {
 public:
  Options(std::string_view what, const Stage& stage);

  // Each returns the value of `key`, or the default; a value of another type or outside
  // [low, high] is a UsageError that says what would be right.
  double number(std::string_view key, double fallback, double low, double high);
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t low,
                       std::int64_t high);
  bool flag(std::string_view key, bool fallback);
  std::string text(std::string_view key, std::string_view fallback);
  std::string choice(std::string_view key, std::string_view fallback,
                     std::span<const std::string_view> allowed);
  // The first key that stands alone and was not asked for by name: the DIR of `mnist:DIR`.
  std::optional<std::string> positional();
  bool has(std::string_view key) const;

  // Throws UsageError if an option was given that nothing asked for.
  void finish() const;

 private:
  const std::string* find(std::string_view key);
  [[noreturn]] void fail(std::string_view key, std::string_view value,
                         const std::string& rule) const;

  std::string what_;
  Stage stage_;
  std::vector<bool> used_;
  std::vector<std::string> known_;
};

// "'powrsgd' is not known; did you mean powersgd? known: none, powersgd, …" (near matches first).
std::string unknown_name(std::string_view what, std::string_view name,
                         std::vector<std::string> known);

}  // namespace terse
