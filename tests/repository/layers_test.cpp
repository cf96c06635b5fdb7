// The project's layers: which folder may include headers of which other folders. The CMake targets
// state the same dependencies for linking.
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

using Layers =
    std::map<std::string, std::set<std::string>>;  // the folders that a folder may include

const Layers kFolders = {
    {"core", {"core"}},
    {"nn", {"core", "nn"}},
    {"optim", {"core", "optim"}},
    {"data", {"core", "data"}},
    {"comm", {"core", "optim", "comm"}},
    {"inspect", {"core", "optim", "comm", "inspect"}},
    // "tersegrad" stands for tersegrad/version.hpp.
    {"examples", {"core", "nn", "optim", "data", "comm", "inspect", "examples", "tersegrad"}},
    {"bench", {"core", "nn", "optim", "data", "comm", "inspect", "examples", "bench"}},
};

// Within comm: each layer may include itself and the layers below.
const Layers kComm = {
    {"network", {"network"}},
    {"transport", {"network", "transport"}},
    {"collectives", {"network", "transport", "collectives"}},
    {"faults", {"network", "transport", "faults"}},
    {"topology", {"network", "transport", "collectives", "topology"}},
    {"setup", {"network", "transport", "setup"}},
    {"training",
     {"network", "transport", "collectives", "faults", "topology", "setup", "training"}},
    {"async", {"network", "transport", "collectives", "faults", "topology", "setup", "async"}},
};

bool is_source(const fs::path& file) {
  return file.extension() == ".cpp" || file.extension() == ".hpp";
}

// Whether a file belongs to examples/consumer, an independent project. Its headers deliberately
// have the same names as ours.
bool is_a_users(const fs::path& file) {
  return file.string().starts_with((kRoot / "examples" / "consumer").string());
}

// The text between `prefix` and the next slash in every #include "…" of a file.
std::set<std::string> included_folders(const fs::path& file, const std::string& prefix) {
  const std::regex include(R"re(^\s*#\s*include\s*")re" + prefix + R"re(([^"/]+)/[^"]*")re");
  std::ifstream in(file);
  std::set<std::string> folders;
  std::smatch match;
  for (std::string line; std::getline(in, line);) {
    if (std::regex_search(line, match, include)) folders.insert(match[1]);
  }
  return folders;
}

// Returns the number of sources. Reports a test failure for each include that `layers` does not
// allow.
int check_layers(const fs::path& parent, const std::string& prefix, const Layers& layers) {
  int files = 0;
  for (const auto& [folder, allowed] : layers) {
    for (const auto& entry : fs::recursive_directory_iterator(parent / folder)) {
      if (!is_source(entry.path())) continue;
      ++files;
      for (const auto& included : included_folders(entry.path(), prefix)) {
        EXPECT_TRUE(allowed.contains(included))
            << entry.path() << " includes " << included << ", which " << folder << " must not know";
      }
    }
  }
  return files;
}

TEST(Layers, NoFolderIncludesWhatItMustNotKnow) {
  EXPECT_GT(check_layers(kRoot, "(?:tersegrad/)?", kFolders), 50);
}

TEST(Layers, InsideCommTheArrowsPointDown) {
  EXPECT_GT(check_layers(kRoot / "comm", "tersegrad/comm/", kComm), 50);
  for (const auto& entry : fs::directory_iterator(kRoot / "comm")) {
    if (!entry.is_directory()) {
      EXPECT_FALSE(is_source(entry.path())) << entry.path() << " is in no layer";
    } else {
      EXPECT_TRUE(kComm.contains(entry.path().filename())) << entry.path() << " is no layer";
    }
  }
}

// Installed headers are included as tersegrad/…, so that they cannot be confused with a user's
// headers.
TEST(Layers, OurOwnHeadersAreIncludedByTheProjectsName) {
  for (const auto& [folder, allowed] : kFolders) {
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
      if (!is_source(entry.path()) || is_a_users(entry.path())) continue;
      for (const auto& included : included_folders(entry.path(), "")) {
        EXPECT_TRUE(included == "tersegrad" || included == "examples" || included == "bench")
            << entry.path() << " includes \"" << included << "/…\"";
      }
    }
  }
}

TEST(Layers, TheCheckSeesAForbiddenInclude) {
  const fs::path file = fs::temp_directory_path() / "terse_layers_test.cpp";
  std::ofstream(file) << "#include <vector>\n  #  include \"tersegrad/nn/module.hpp\"\n";
  EXPECT_EQ(included_folders(file, "tersegrad/"), std::set<std::string>{"nn"});
  fs::remove(file);
}

// GCC defines macros for its sanitizers and Clang 14 none, so the build defines TERSE_SANITIZED for both.
TEST(Layers, SourcesAskTheBuildForItsSanitizers) {
  for (const auto& [folder, allowed] : kFolders) {
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
      if (!is_source(entry.path())) continue;
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) {
        EXPECT_EQ(line.find("__SANITIZE_"), std::string::npos) << entry.path() << ": " << line;
        EXPECT_EQ(line.find("__has_feature"), std::string::npos) << entry.path() << ": " << line;
      }
    }
  }
}

TEST(Layers, EveryFolderHasItsPage) {
  for (const auto& [folder, allowed] : kFolders) {
    EXPECT_TRUE(fs::exists(kRoot / folder / "README.md")) << folder;
  }
  for (const auto& [layer, allowed] : kComm) {
    EXPECT_TRUE(fs::exists(kRoot / "comm" / layer / "README.md")) << layer;
  }
}

}  // namespace
