// Makes one HTML page of the folders of runs.
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "examples/report/command.hpp"
#include "examples/report/page.hpp"
#include "examples/report/run_folders.hpp"
#include "examples/run/command_line.hpp"
#include "examples/run/output.hpp"
#include "examples/run/program.hpp"
#include "examples/run/progress.hpp"
#include "examples/run/result_file.hpp"
#include "examples/run/text.hpp"
#include "tersegrad/core/error.hpp"

namespace {

using namespace terse;

// Where the page is written: --out, or report.html in the only folder.
std::filesystem::path page_file(const std::vector<std::filesystem::path>& folders,
                                const std::optional<std::string>& out) {
  if (out) return *out;
  check<UsageError>(folders.size() == 1,
                    "--out: expected the name of the page, because there are {} folders; try --out "
                    "report.html",
                    folders.size());
  return folders.front() / run::kPageFile;
}

void report(int argc, char** argv) {
  std::vector<std::string> words;
  std::optional<std::string> out;
  bool force = false;
  run::CommandLine command_line("report",
                                "Makes one HTML page of runs: curves, times, bytes, packets.",
                                "report runs/a runs/b --out page.html");
  command_line.positional("RUN", words, "folders that train --out or compare has written")
      .flag("--out", out, "the page [of one folder: report.html in it]")
      .flag("--force", force, "replace an existing file");
  command_line.parse(argc, argv);
  check<UsageError>(!words.empty(),
                    "expected the folder of a run, such as report runs/a; see --help");
  const std::vector<std::filesystem::path> folders(words.begin(), words.end());
  run::run_folders(folders);  // a wrong folder is found before a wrong --out
  const auto file = page_file(folders, out);
  run::check_result_file("--out", file, force ? run::IfThere::replace : run::IfThere::refuse);
  const auto command = run::shell_command(std::span(argv, static_cast<std::size_t>(argc)));
  const auto page = run::write_report(folders, file, command);
  run::print("{}: {}, {}\n", file.string(), run::bytes_text(static_cast<double>(page.bytes)),
             run::count_text(page.runs, "run"));
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_program("report", [&] { report(argc, argv); });
}
