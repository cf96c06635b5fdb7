// The project's layers: who may include whom. The link lines say the same; this is about headers.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = TERSE_SOURCE_DIR;

const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"core", {"core"}},
    {"nn", {"core", "nn"}},
    {"optim", {"core", "optim"}},
    {"data", {"core", "data"}},
    {"comm", {"core", "optim", "comm"}},
    {"inspect", {"core", "optim", "comm", "inspect"}},
    {"examples", {"core", "nn", "optim", "data", "comm", "inspect", "examples"}},
    {"bench", {"core", "nn", "optim", "data", "comm", "inspect", "examples", "bench"}},
};

bool is_source(const fs::path& file) {
  return file.extension() == ".cpp" || file.extension() == ".hpp";
}

// The first folder of every #include "…" of a file.
std::set<std::string> included_folders(const fs::path& file) {
  static const std::regex include(R"re(^\s*#\s*include\s*"([^"/]+)/[^"]*")re");
  std::ifstream in(file);
  std::set<std::string> folders;
  std::smatch match;
  for (std::string line; std::getline(in, line);) {
    if (std::regex_search(line, match, include)) folders.insert(match[1]);
  }
  return folders;
}

TEST(Layers, NoFolderIncludesWhatItMustNotKnow) {
  int files = 0;
  for (const auto& [folder, allowed] : kMayInclude) {
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
      if (!is_source(entry.path())) continue;
      ++files;
      for (const auto& included : included_folders(entry.path())) {
        EXPECT_TRUE(allowed.contains(included))
            << entry.path() << " includes " << included << ", which " << folder << " must not know";
      }
    }
  }
  EXPECT_GT(files, 50);
}

TEST(Layers, TheCheckSeesAForbiddenInclude) {
  const fs::path file = fs::temp_directory_path() / "terse_layers_test.cpp";
  std::ofstream(file) << "#include <vector>\n  #  include \"nn/module.hpp\"\n";
  EXPECT_EQ(included_folders(file), std::set<std::string>{"nn"});
  fs::remove(file);
}

TEST(Layers, EveryFolderHasItsPage) {
  for (const auto& [folder, allowed] : kMayInclude) {
    EXPECT_TRUE(fs::exists(kRoot / folder / "README.md")) << folder;
  }
}

}  // namespace
