#include "tersegrad/core/spec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

// Splits at a separator; the parts are views into the text.
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// The number of letters inserted, dropped, replaced or swapped with their neighbour.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({row[j - 1] + 1, last[j] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

template <class Number>
bool parse_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

std::string Stage::to_string() const {
  std::string text = name;
  for (std::size_t i = 0; i < options.size(); ++i) {
    text += (i == 0 ? ':' : ',') + options[i].key;
    if (options[i].value) text += '=' + *options[i].value;
  }
  return text;
}

std::string Spec::to_string() const {
  std::string text;
  for (const auto& stage : stages) text += (text.empty() ? "" : "+") + stage.to_string();
  return text;
}

Spec Spec::parse(std::string_view text) {
  Spec spec;
  for (const auto part : split(text, '+')) {
    const auto colon = part.find(':');
    Stage stage{.name = std::string(part.substr(0, colon)), .options = {}};
    check<UsageError>(is_name(stage.name), "spec '{}': expected a name; got '{}'", text,
                      stage.name);
    if (colon != std::string_view::npos) {
      for (const auto item : split(part.substr(colon + 1), ',')) {
        const auto equals = item.find('=');
        const auto key = item.substr(0, equals);
        check<UsageError>(!key.empty(), "spec '{}': expected key=value; got '{}'", text, item);
        Stage::Option option{.key = std::string(key), .value = std::nullopt};
        if (equals != std::string_view::npos) option.value = std::string(item.substr(equals + 1));
        stage.options.push_back(std::move(option));
      }
    }
    spec.stages.push_back(std::move(stage));
  }
  return spec;
}

Stage parse_stage(std::string_view what, std::string_view text) {
  Spec spec = Spec::parse(text);
  check<UsageError>(spec.stages.size() == 1,
                    "{} '{}': expected one stage, without '+'; got {} stages", what, text,
                    spec.stages.size());
  return std::move(spec.stages.front());
}

Options::Options(std::string_view what, const Stage& stage)
    : what_(what), stage_(stage), used_(stage.options.size(), false) {}

const std::string* Options::find(std::string_view key) {
  static const std::string kTrue = "true";
  known_.emplace_back(key);
  const std::string* found = nullptr;
  for (std::size_t i = 0; i < stage_.options.size(); ++i) {
    const auto& option = stage_.options[i];
    if (option.key != key) continue;
    check<UsageError>(found == nullptr, "{} '{}': {} is given twice", what_, stage_.name, key);
    used_[i] = true;
    found = option.value ? &*option.value : &kTrue;
  }
  return found;
}

void Options::fail(std::string_view key, std::string_view value, const std::string& rule) const {
  throw UsageError(
      fmt::format("{} '{}': {} must be {}; got '{}'", what_, stage_.name, key, rule, value));
}

double Options::number(std::string_view key, double fallback, double low, double high) {
  const auto* text = find(key);
  if (text == nullptr) return fallback;
  double value = 0;
  if (!parse_number(*text, value) || !(value >= low && value <= high)) {
    fail(key, *text,
         std::isinf(high) ? fmt::format("a number of at least {}", low)
                          : fmt::format("a number from {} to {}", low, high));
  }
  return value;
}

std::int64_t Options::integer(std::string_view key, std::int64_t fallback, std::int64_t low,
                              std::int64_t high) {
  const auto* text = find(key);
  if (text == nullptr) return fallback;
  std::int64_t value = 0;
  if (!parse_number(*text, value) || value < low || value > high) {
    fail(key, *text, fmt::format("a whole number from {} to {}", low, high));
  }
  return value;
}

bool Options::flag(std::string_view key, bool fallback) {
  const auto* text = find(key);
  if (text == nullptr) return fallback;
  if (*text == "true" || *text == "1") return true;
  if (*text == "false" || *text == "0") return false;
  fail(key, *text, "true or false");
}

std::string Options::text(std::string_view key, std::string_view fallback) {
  const auto* text = find(key);
  return text == nullptr ? std::string(fallback) : *text;
}

std::string Options::choice(std::string_view key, std::string_view fallback,
                            std::span<const std::string_view> allowed) {
  const auto* text = find(key);
  if (text == nullptr) return std::string(fallback);
  if (std::find(allowed.begin(), allowed.end(), *text) == allowed.end()) {
    fail(key, *text, fmt::format("one of {}", fmt::join(allowed, ", ")));
  }
  return *text;
}

std::optional<std::string> Options::positional() {
  for (std::size_t i = 0; i < stage_.options.size(); ++i) {
    if (!used_[i] && !stage_.options[i].value) {
      used_[i] = true;
      return stage_.options[i].key;
    }
  }
  return std::nullopt;
}

bool Options::has(std::string_view key) const {
  return std::any_of(stage_.options.begin(), stage_.options.end(),
                     [&](const auto& option) { return option.key == key; });
}

void Options::finish() const {
  for (std::size_t i = 0; i < used_.size(); ++i) {
    if (used_[i]) continue;
    if (known_.empty()) {
      throw UsageError(fmt::format("{} '{}' takes no options; got '{}'", what_, stage_.name,
                                   stage_.options[i].key));
    }
    throw UsageError(unknown_name(fmt::format("{} '{}': option", what_, stage_.name),
                                  stage_.options[i].key, known_));
  }
}

std::string unknown_name(std::string_view what, std::string_view name,
                         std::vector<std::string> known) {
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  std::stable_sort(known.begin(), known.end(), [&](const auto& a, const auto& b) {
    return edit_distance(name, a) < edit_distance(name, b);
  });
  const bool near = !known.empty() &&
                    edit_distance(name, known.front()) <= std::max<std::size_t>(1, name.size() / 3);
  return fmt::format("{} '{}' is not known{}; known: {}", what, name,
                     near ? fmt::format("; did you mean {}?", known.front()) : "",
                     fmt::join(known, ", "));
}

}  // namespace terse
