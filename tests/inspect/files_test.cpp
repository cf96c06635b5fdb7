// Results are written completely or not at all, and errors state the reason.
#include "tersegrad/core/files.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "tersegrad/core/error.hpp"
#include "tersegrad/inspect/run_folder.hpp"
#include "tests/data/files.hpp"

namespace terse {
namespace {

std::string read(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

// During its lifetime no file can become longer than `bytes`. A write beyond that size fails
// instead of killing the process.
class ShortFiles {
 public:
  explicit ShortFiles(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~ShortFiles() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST(WriteFile, ReplacesAFileAsAWhole) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "a.json";
  write_file(file, "old");
  write_file(file, "new");
  EXPECT_EQ(read(file), "new");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "a.json.tmp"));
}

TEST(WriteFile, WritesWhereALinkPointsTo) {
  const TemporaryFolder folder;
  for (const char* target : {"there.txt", "made.txt"}) {
    const auto link = folder.path() / (std::string("link to ") + target);
    if (std::string(target) == "there.txt") write_file(folder.path() / target, "old");
    std::filesystem::create_symlink(target, link);
    write_file(link, "new");
    EXPECT_TRUE(std::filesystem::is_symlink(link));
    EXPECT_EQ(read(folder.path() / target), "new");
  }
}

// A rename would replace the name of the open file, for all processes.
TEST(WriteFile, WritesToANameOfAnOpenFileInPlace) {
  const TemporaryFolder folder;
  std::FILE* file = std::fopen((folder.path() / "open.txt").c_str(), "w");
  ASSERT_NE(file, nullptr);
  const auto name = "/proc/self/fd/" + std::to_string(fileno(file));
  write_file(name, "text");
  EXPECT_EQ(read(folder.path() / "open.txt"), "text");
  EXPECT_TRUE(std::filesystem::is_symlink(name));
  std::fclose(file);
}

TEST(WriteFile, KeepsTheOldFileWhereTheNewOneDoesNotFit) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "a.json";
  write_file(file, "old");
  std::string error;
  {
    const ShortFiles limit(1000);
    error = error_of<Error>([&] { write_file(file, std::string(2000, 'x')); });
  }
  expect_has(error, {file.string(), "cannot be written", "File too large"});
  EXPECT_EQ(read(file), "old");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "a.json.tmp"));
}

TEST(WriteFile, SaysTheSystemsReason) {
  const TemporaryFolder folder;
  const auto missing = folder.path() / "no" / "a.json";
  expect_has(error_of<Error>([&] { write_file(missing, "x"); }),
             {missing.string(), "No such file or directory"});
  const auto taken = folder.path() / "b";
  std::filesystem::create_directories(taken / "c");
  expect_has(error_of<Error>([&] { write_file(taken, "x"); }), {taken.string(), "Is a directory"});
  expect_has(error_of<Error>([&] { write_file("/dev/full", "x"); }),
             {"/dev/full", "No space left on device"});
  write_file("/dev/null", "x");  // not a regular file: written to, not replaced
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(LineFile, HoldsWholeLinesWhereTheDiskIsFull) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "log.jsonl";
  LineFile lines(file, LineFile::Existing::replace);
  lines.add("one");
  std::string error;
  {
    const ShortFiles limit(10);
    error = error_of<Error>([&] { lines.add("a line that is too long"); });
  }
  expect_has(error, {file.string(), "File too large"});
  EXPECT_EQ(read(file), "one\n");
  lines.add("two");
  EXPECT_EQ(read(file), "one\ntwo\n");
  LineFile(file, LineFile::Existing::keep).add("three");
  EXPECT_EQ(read(file), "one\ntwo\nthree\n");
}

TEST(OutputFolder, IsOneProcesss) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a" / "b";
  {
    const OutputFolder first(path);
    expect_has(error_of<Error>([&] { OutputFolder again(path); }),
               {path.string(), "another process"});
  }
  OutputFolder again(path);
}

TEST(OutputFolder, IsRemovedIfNothingWasWritten) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a";
  { const OutputFolder empty(path); }
  EXPECT_FALSE(std::filesystem::exists(path));
  {
    const OutputFolder used(path);
    write_file(used / "x", "x");
  }
  EXPECT_TRUE(std::filesystem::exists(path / "x"));
  std::filesystem::remove(path / "x");
  { const OutputFolder there(path); }
  EXPECT_TRUE(std::filesystem::exists(path)) << "it was there before";
}

TEST(OutputFolder, GetsTheNextNumber) {
  const TemporaryFolder folder;
  const auto first = OutputFolder::numbered(folder.path() / "run");
  const auto second = OutputFolder::numbered(folder.path() / "run");
  EXPECT_EQ(first.path(), folder.path() / "run-1");
  EXPECT_EQ(second.path(), folder.path() / "run-2");
}

TEST(OutputFolder, SaysTheSystemsReason) {
  const TemporaryFolder folder;
  write_file(folder.path() / "file", "x");
  expect_has(error_of<Error>([&] { OutputFolder(folder.path() / "file"); }),
             {(folder.path() / "file").string(), "cannot be created"});
  expect_has(error_of<Error>([&] { OutputFolder("/proc/none/such"); }),
             {"/proc/none/such", "No such file or directory"});
}

TEST(RunFolder, LeavesNothingOfARunThatLoggedNothing) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  { RunFolder(run, {{"seed", 1}}); }
  EXPECT_FALSE(std::filesystem::exists(run));
  { RunFolder(run, {{"seed", 1}}).log({{"step", 1}}); }
  EXPECT_EQ(read(run / "log.jsonl"), "{\"step\":1}\n");
  expect_has(error_of<Error>([&] { RunFolder(run, {{"seed", 2}}); }), {"holds a run already"});
  EXPECT_EQ(nlohmann::json::parse(read(run / "config.json"))["seed"], 1);
}

}  // namespace
}  // namespace terse
