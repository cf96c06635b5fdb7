// A fixture for tests that run programs from a shell, as a user does, in a folder per test.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

namespace fs = std::filesystem;

struct Outcome {
  int code;
  std::string out, error;
  double seconds;
};

inline std::string read(const fs::path& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

inline nlohmann::json last_line(const std::string& text) {
  const auto end = text.find_last_not_of('\n');
  return nlohmann::json::parse(text.substr(text.rfind('\n', end) + 1));
}

// The part of a run folder's log that is the same in every repetition: all entries without times.
inline std::string lasting_log(const fs::path& run) {
  std::string all;
  std::istringstream lines(read(run / "log.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    auto entry = nlohmann::json::parse(line);
    entry.erase("time");
    all += entry.dump() + "\n";
  }
  return all;
}

inline int count_of(const std::string& text, const std::string& what) {
  int count = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

class ProgramFixture : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder); }
  void TearDown() override { fs::remove_all(folder); }

  // Runs a command. `timeout` ends it after 120 s, with code 124.
  Outcome run_shell(const std::string& command) const {
    const std::string whole = "timeout -k 5 120 " + command + " >" + (folder / "out").string() +
                              " 2>" + (folder / "error").string() + " </dev/null";
    const auto start = std::chrono::steady_clock::now();
    const int status = std::system(whole.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read(folder / "out"),
            read(folder / "error"),
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()};
  }
  // Runs a program of this project; `command` is its name and its arguments.
  Outcome run(const std::string& command) const { return run_shell(bin + command); }

  // Expects one line on standard error with this text, this exit code, and an empty standard
  // output.
  void expect_refused(const std::string& command, int code, const std::string& text) const {
    const auto o = run(command);
    EXPECT_EQ(o.code, code) << command << ": " << o.error;
    EXPECT_NE(o.error.find(text), std::string::npos) << command << ": " << o.error;
    EXPECT_EQ(count_of(o.error, "\n"), 1) << command << ": " << o.error;
    EXPECT_EQ(o.out, "") << command;
  }

  const std::string bin = std::string(TERSE_BINARY_DIR) + "/bin/";
  const fs::path folder =
      fs::temp_directory_path() / ("terse_programs_" + std::to_string(getpid()));
  const std::string tiny = " --data synthetic:size=14,train=400,test=100 --model mlp:hidden=16";
  const std::string small = tiny + " --workers 2 --batch 10 ";
};
