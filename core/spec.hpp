// Spec strings: the grammar of models, data, compressors and other components, on the command line,
// in logs and in code.
//
//   spec  := stage ('+' stage)*
//   stage := name [':' key '=' value (',' key '=' value)*]        a key alone means key=true
//
// `topk:ratio=0.01+ef` has two stages. Every key has a default. An unknown name or key is a
// UsageError that lists the known ones, the nearest first.
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
    std::optional<std::string> value;  // empty: no '=' followed the key
  };
  std::string name;
  std::vector<Option> options;
  std::string to_string() const;
};

struct Spec {
  std::vector<Stage> stages;

  static Spec parse(std::string_view text);  // throws UsageError, which quotes the faulty part
  std::string to_string() const;             // parse(to_string()) equals this spec
};

// Parses a spec of exactly one stage; throws UsageError otherwise. `what` names the kind of spec in
// the error ("model", "data").
Stage parse_stage(std::string_view what, std::string_view text);

// Reads the options of one stage by name and type. The caller calls `finish` after reading all of
// them.
class Options {
 public:
  Options(std::string_view what, const Stage& stage);

  // Each function returns the value of `key`, or `fallback` if the key is absent. It throws
  // UsageError, which states the allowed values, if the value has another type or is outside [low,
  // high] or `allowed`.
  double number(std::string_view key, double fallback, double low, double high);
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t low,
                       std::int64_t high);
  bool flag(std::string_view key, bool fallback);
  std::string text(std::string_view key, std::string_view fallback);
  std::string choice(std::string_view key, std::string_view fallback,
                     std::span<const std::string_view> allowed);
  // The first key without a value that no call has read so far: the DIR of `mnist:DIR`.
  std::optional<std::string> positional();
  bool has(std::string_view key) const;

  // Throws UsageError if the stage has an option that no call has read.
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

// "<what> 'powrsgd' is not known; did you mean powersgd?; known: powersgd, none, …": the known
// names are sorted by edit distance to `name`.
std::string unknown_name(std::string_view what, std::string_view name,
                         std::vector<std::string> known);

}  // namespace terse
