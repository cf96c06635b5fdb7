#include "tersegrad/data/text.hpp"

#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "tersegrad/core/error.hpp"
#include "tersegrad/data/gz_reader.hpp"
#include "tersegrad/data/unicode.hpp"

namespace terse {
namespace {

namespace fs = std::filesystem;

struct TextRequest {
  TextRules rules;
  std::int64_t seq;
};

// Reads level=, vocab= and seq=. `plain` is the level to use if level=word.
TextRequest read_request(Options& options, TextLevel plain) {
  constexpr std::string_view kLevels[] = {"word", "char"};
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  TextRequest request;
  const auto level = options.choice("level", "word", kLevels);
  request.rules.level = level == "char" ? TextLevel::character : plain;
  request.rules.most = options.integer("vocab", kMost, 2, kMost);
  request.seq = options.integer("seq", TextSplits{}.seq, 1, 1'000'000);
  return request;
}

std::string read_text(const std::string& name, const fs::path& file, TextLevel level) {
  check(!fs::is_directory(file), "{} '{}': expected a file; got a directory", name, file.string());
  auto text = GzReader(name, file).read_rest();
  try {
    drop_byte_order_mark(text);
    if (level != TextLevel::character) check_utf8(text);
  } catch (const Error& e) {
    throw Error(fmt::format("{} '{}': {}", name, file.string(), e.what()));
  }
  check(!text.empty(), "{} '{}': the file is empty", name, file.string());
  return text;
}

struct SplitFiles {
  fs::path train, valid, test;
};

SplitFiles find_splits(const fs::path& folder) {
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"wiki.", ".tokens"}, {"ptb.", ".txt"}, {"", ".txt"}};
  for (const auto& name : kNames) {
    const auto file = [&](std::string_view split) {
      return folder / (std::string(name.first).append(split).append(name.second));
    };
    if (fs::exists(file("train"))) return {file("train"), file("valid"), file("test")};
  }
  throw Error(fmt::format(
      "text '{}': expected wiki.train.tokens (WikiText), ptb.train.txt (PTB) or train.txt "
      "in the folder, with the files for valid and test; got none of them",
      folder.string()));
}

TextSplits read_splits(const SplitFiles& files, const TextRules& rules) {
  return number_splits("text",
                       {.train = read_text("text", files.train, rules.level),
                        .valid = read_text("text", files.valid, rules.level),
                        .test = read_text("text", files.test, rules.level)},
                       rules);
}

}  // namespace

TextSplits load_text_files(Options& options, std::uint64_t /*seed*/) {
  const bool prose = options.flag("prose", false);
  const auto request = read_request(options, prose ? TextLevel::prose : TextLevel::word);
  const SplitFiles files{.train = options.text("train", ""),
                         .valid = options.text("valid", ""),
                         .test = options.text("test", "")};
  fs::path path = options.text("path", "");
  if (path.empty()) path = options.positional().value_or("");
  options.finish();

  check<UsageError>(
      !prose || request.rules.level != TextLevel::character,
      "data 'text': prose applies to level=word only; level=char reads the bytes unchanged");
  const int given = !files.train.empty() + !files.valid.empty() + !files.test.empty();
  check<UsageError>(
      path.empty() ? given == 3 : given == 0,
      "data 'text': expected path=FILE, path=DIR, or all of train=FILE, valid=FILE and "
      "test=FILE; got {} of these three{}",
      given, path.empty() ? "" : " and path");
  TextSplits splits;
  if (path.empty()) {
    splits = read_splits(files, request.rules);
  } else if (fs::is_directory(path)) {
    splits = read_splits(find_splits(path), request.rules);
  } else {
    splits = number_and_split("text", read_text("text", path, request.rules.level), request.rules);
  }
  splits.seq = request.seq;
  return splits;
}

fs::path kjv_file() {
  const auto folder = [](const char* variable) -> fs::path {
    const char* value = std::getenv(variable);
    return value == nullptr ? "" : value;
  };
  const auto own = folder("TERSE_DATA"), shared = folder("XDG_DATA_HOME");
  if (!own.empty()) return own / "kjv.txt";
  return (shared.empty() ? folder("HOME") / ".local/share" : shared) / "tersegrad/kjv.txt";
}

TextSplits load_kjv(Options& options, std::uint64_t /*seed*/) {
  const auto request = read_request(options, TextLevel::prose);
  fs::path file = options.text("path", "");
  if (file.empty()) file = options.positional().value_or("");
  options.finish();

  if (file.empty()) file = kjv_file();
  check(fs::exists(file),
        "kjv: no such file: '{}'; create it from Debian's package bible-kjv with scripts/kjv, or "
        "name another file with kjv:path=FILE",
        file.string());
  auto splits = number_and_split("kjv", read_text("kjv", file, request.rules.level), request.rules);
  splits.seq = request.seq;
  return splits;
}

}  // namespace terse
