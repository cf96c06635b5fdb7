// Checks of Markdown pages and comments: widths, links into the code, and damaged pseudo-code.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = TERSE_SOURCE_DIR;

std::vector<std::string> lines_of(const fs::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// All files of the project with this extension, except for those in build trees and hidden folders.
std::vector<fs::path> files(const std::string& extension) {
  std::vector<fs::path> found;
  for (auto entry = fs::recursive_directory_iterator(kRoot);
       entry != fs::recursive_directory_iterator(); ++entry) {
    const auto name = entry->path().filename().string();
    if (entry->is_directory() && (name == "build" || name == "runs" || name.front() == '.')) {
      entry.disable_recursion_pending();
    } else if (entry->path().extension() == extension) {
      found.push_back(entry->path());
    }
  }
  return found;
}

// The number of characters, not bytes.
std::size_t width(const std::string& line) {
  std::size_t n = 0;
  for (const char c : line) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return n;
}

TEST(Pages, AreAtMost112ColumnsWide) {
  std::size_t pages = 0;
  for (const auto& file : files(".md")) {
    ++pages;
    bool code = false;
    int number = 0;
    for (const auto& line : lines_of(file)) {
      ++number;
      if (line.starts_with("```")) code = !code;
      // Code, table rows and links cannot be wrapped.
      if (code || line.starts_with("|") || line.find("](../") != std::string::npos) continue;
      EXPECT_LE(width(line), 112U) << file << ":" << number;
    }
  }
  EXPECT_GT(pages, 15U);
}

// Whether a line of pseudo-code has a "worker:" or "exchange:" that does not begin the line, as
// after a reflow. A phase may stand before it.
bool breaks_pseudo_code(const std::string& line) {
  static const std::regex step(R"re(//\s*\S.*\s(worker|exchange):\s\s)re");
  static const std::regex in_phase(R"re(//\s*phase \S+\s+(worker|exchange):)re");
  return std::regex_search(line, step) && !std::regex_search(line, in_phase);
}

TEST(Comments, AStepOfAnAlgorithmBeginsItsLine) {
  EXPECT_TRUE(breaks_pseudo_code("//   shorter worker:    mean = sum of all"));
  EXPECT_FALSE(breaks_pseudo_code("//   worker:    mean = sum of all"));
  EXPECT_FALSE(breaks_pseudo_code("//   phase 0    worker:    send P"));
  for (const char* extension : {".hpp", ".cpp"}) {
    for (const auto& file : files(extension)) {
      if (file.filename() == "pages_test.cpp") continue;
      int number = 0;
      for (const auto& line : lines_of(file)) {
        ++number;
        EXPECT_FALSE(breaks_pseudo_code(line)) << file << ":" << number << ": " << line;
      }
    }
  }
}

TEST(Contributing, NamesFilesThatExist) {
  int named = 0;
  const std::regex path(R"re(`([a-z0-9_.]+/[a-z0-9_./]*)`|\]\(([^)#:]+)\))re");
  for (const auto& line : lines_of(kRoot / "CONTRIBUTING.md")) {
    for (std::sregex_iterator at(line.begin(), line.end(), path), end; at != end; ++at) {
      const auto file = (*at)[1].matched ? (*at)[1].str() : (*at)[2].str();
      EXPECT_TRUE(fs::exists(kRoot / file)) << file;
      ++named;
    }
  }
  EXPECT_GT(named, 20);
}

// An item of docs/one_step.md: "1. [path/file.cpp:12](../path/file.cpp#L12) `code`". Line 12 must
// contain the code.
TEST(OneStep, StopsWhereItsPageSays) {
  const std::regex stop(R"re(^\d+\. \[([^\]:]+):(\d+)\]\(\.\./([^)#]+)#L(\d+)\) `([^`]+)`)re");
  int stops = 0;
  for (const auto& line : lines_of(kRoot / "docs/one_step.md")) {
    std::smatch match;
    if (!std::regex_search(line, match, stop)) continue;
    ++stops;
    EXPECT_EQ(match[1], match[3]);
    EXPECT_EQ(match[2], match[4]);
    const auto lines = lines_of(kRoot / match[1].str());
    const auto number = static_cast<std::size_t>(std::stoul(match[2]));
    ASSERT_LE(number, lines.size()) << line;
    if (lines[number - 1].find(match[5]) != std::string::npos) continue;
    std::string elsewhere = "nowhere";
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (lines[i].find(match[5]) != std::string::npos) elsewhere = std::to_string(i + 1);
    }
    ADD_FAILURE() << match[1] << ":" << number << " has no `" << match[5] << "`; it stands in line "
                  << elsewhere;
  }
  EXPECT_GE(stops, 8);
  EXPECT_LE(stops, 12);
}

}  // namespace
