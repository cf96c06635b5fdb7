#include "examples/run/result_file.hpp"

#include <algorithm>
#include <array>
#include <system_error>

#include "tersegrad/core/error.hpp"
#include "tersegrad/inspect/run_folder.hpp"

namespace terse::run {
namespace {

namespace fs = std::filesystem;

bool is_of_a_run(const fs::path& file) {
  constexpr std::array kNames = {
      kConfigFile,    kLogFile,       kCheckpointFile, kPreviousCheckpointFile,
      "records.json", "compare.json", "runs.jsonl"};
  std::error_code none;
  const auto target = fs::exists(file, none) ? fs::canonical(file, none) : file;
  return std::ranges::find(kNames, target.filename().string()) != kNames.end();
}

}  // namespace

void check_result_file(std::string_view flag, const fs::path& file, IfThere if_there) {
  std::error_code none;
  const auto name = file.string();
  check<UsageError>(!name.empty(), "{}: expected the name of a file; got none", flag);
  check<UsageError>(!fs::is_directory(file, none),
                    "{}: expected the name of a file; got the folder '{}'", flag, name);
  const auto folder = file.parent_path();
  check<UsageError>(folder.empty() || fs::is_directory(folder, none),
                    "{}: '{}': there is no folder '{}'; create it first", flag, name,
                    folder.string());
  check<UsageError>(!is_of_a_run(file),
                    "{}: '{}' is a file of a run or a comparison, which is not replaced; name "
                    "another",
                    flag, name);
  check(if_there == IfThere::replace || !fs::is_regular_file(file, none),
        "'{}' exists already; name another file by {}, or use --force to replace it", name, flag);
}

}  // namespace terse::run
