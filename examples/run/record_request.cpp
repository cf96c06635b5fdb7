#include "examples/run/record_request.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/spec.hpp"

namespace terse::run {
namespace {

std::vector<std::string_view> parts_of(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// A whole number of at least 0 at the start of the text, which is removed.
std::optional<std::int64_t> take_number(std::string_view& text) {
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0 || value > kMost) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

StepRange parse_range(std::string_view text, std::string_view what) {
  auto rest = text;
  const auto first = take_number(rest);
  auto last = first;
  if (first && rest.starts_with("..")) {
    rest.remove_prefix(2);
    last = take_number(rest);
  }
  check<UsageError>(first && last && rest.empty() && *first <= *last,
                    "{}: expected a step or a range, such as 100 or 100..110; got '{}'", what,
                    text);
  return {*first, *last};
}

std::uint64_t parse_limit(std::string_view text) {
  constexpr std::pair<std::string_view, std::uint64_t> kUnits[] = {
      {"GB", 1'000'000'000}, {"MB", 1'000'000}, {"KB", 1000}, {"B", 1}, {"", 1}};
  auto unit = text;
  const auto number = take_number(unit);
  const auto* found =
      std::ranges::find(kUnits, unit, [](const auto& known) { return known.first; });
  check<UsageError>(number && found != std::end(kUnits) && *number < 1'000'000'000,
                    "--record: limit: expected bytes, such as 2GB, 500MB or 64KB; got '{}'", text);
  return static_cast<std::uint64_t>(*number) * found->second;
}

bool parse_yes(std::string_view text) {
  check<UsageError>(text == "yes" || text == "no",
                    "--record: packets: expected yes or no; got '{}'", text);
  return text == "yes";
}

bool names(const std::string& pattern, const std::string& tensor) {
  return fnmatch(pattern.c_str(), tensor.c_str(), 0) == 0;
}

}  // namespace

std::vector<StepRange> parse_steps(std::string_view text, std::string_view what) {
  std::vector<StepRange> ranges;
  for (const auto part : parts_of(text, ';')) ranges.push_back(parse_range(part, what));
  std::ranges::sort(ranges, {}, &StepRange::first);
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    check<UsageError>(ranges[i].first > ranges[i - 1].last,
                      "{}: expected each step once; got {} twice", what, ranges[i].first);
  }
  return ranges;
}

bool has_step(std::span<const StepRange> ranges, std::int64_t step) {
  return std::ranges::any_of(
      ranges, [&](const StepRange& range) { return range.first <= step && step <= range.last; });
}

RecordRequest parse_record(std::string_view text) {
  RecordRequest request;
  std::vector<std::string_view> seen;
  for (const auto part : parts_of(text, ',')) {
    const auto equals = std::min(part.find('='), part.size());
    const auto key = part.substr(0, equals);
    const auto value = part.substr(std::min(equals + 1, part.size()));
    check<UsageError>(std::ranges::find(seen, key) == seen.end(), "--record: {} is given twice",
                      key);
    seen.push_back(key);
    if (key == "steps") {
      request.steps = parse_steps(value, "--record: steps");
    } else if (key == "tensors") {
      request.tensors.clear();
      for (const auto name : parts_of(value, ';')) request.tensors.emplace_back(name);
    } else if (key == "packets") {
      request.packets = parse_yes(value);
    } else if (key == "limit") {
      request.limit = parse_limit(value);
    } else {
      throw UsageError(
          unknown_name("--record: key", key, {"steps", "tensors", "packets", "limit"}));
    }
  }
  check<UsageError>(!request.steps.empty(),
                    "--record: expected the steps, such as steps=100..110; got '{}'", text);
  return request;
}

std::vector<ParameterInfo> chosen_tensors(const RecordRequest& request,
                                          std::span<const ParameterInfo> all) {
  std::vector<std::string> known;
  for (const auto& info : all) known.push_back(info.name);
  for (const auto& pattern : request.tensors) {
    if (std::ranges::none_of(known, [&](const auto& name) { return names(pattern, name); })) {
      throw UsageError(unknown_name("--record: tensor", pattern, known));
    }
  }
  std::vector<ParameterInfo> chosen;
  for (const auto& info : all) {
    if (std::ranges::any_of(request.tensors,
                            [&](const auto& pattern) { return names(pattern, info.name); })) {
      chosen.push_back(info);
    }
  }
  return chosen;
}

}  // namespace terse::run
