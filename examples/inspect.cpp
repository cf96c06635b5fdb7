// Shows what a run folder, a checkpoint, another safetensors file or a packet contains.
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "examples/inspect/array_file.hpp"
#include "examples/inspect/array_table.hpp"
#include "examples/inspect/difference.hpp"
#include "examples/inspect/packet_report.hpp"
#include "examples/inspect/run_summary.hpp"
#include "examples/run/command_line.hpp"
#include "examples/run/output.hpp"
#include "examples/run/program.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/inspect/json.hpp"

namespace {

using namespace terse;

struct Flags {
  std::string path;
  std::optional<std::string> diff;  // the other path
  run::PacketFlags packet;
  bool times = false, json = false;
};

Flags parse_flags(int argc, char** argv) {
  Flags flags;
  run::CommandLine command_line(
      "inspect", "Shows what a run folder, a checkpoint, a safetensors file or a packet contains.",
      "inspect runs/a --diff runs/b");
  command_line.positional("path", flags.path, "run folder, safetensors file or packet")
      .flag("--diff", flags.diff, "compare with this file or the checkpoint of this run")
      .flag("--times", flags.times, "--diff also compares measured seconds")
      .flag("--shapes", flags.packet.shapes, "tensors of a packet: lenet, ..., or 64x3,64")
      .flag("--compressor", flags.packet.compressor, "of a packet, if not with default options")
      .flag("--json", flags.json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  check<UsageError>(!flags.path.empty(),
                    "path: expected a run folder or a file; for instance: inspect runs/a");
  check<UsageError>(flags.diff || !flags.times, "--times: expected --diff, to which it belongs");
  check<UsageError>(flags.packet.shapes || !flags.packet.compressor,
                    "--compressor: expected --shapes too, those of the packet's tensors");
  check<UsageError>(!flags.diff || !flags.packet.shapes,
                    "--shapes: expected the path of a packet, and no --diff");
  return flags;
}

template <class Report>
void print_report(const Flags& flags, const Report& report) {
  run::print("{}", run::to_text(report));
  if (flags.json) run::print("{}\n", json_text(run::to_json(report)));
}

// Returns 0, or 1 if there are differences.
int inspect(int argc, char** argv) {
  const auto flags = parse_flags(argc, argv);
  if (flags.diff) {
    const auto first = run::ArrayFile::open(flags.path), second = run::ArrayFile::open(*flags.diff);
    const auto difference = run::compare(first, second, flags.times);
    print_report(flags, difference);
    return difference.none() ? 0 : 1;
  }
  const bool is_run = run::is_run_folder(flags.path);
  if (!is_run) run::check_no_folder(flags.path);
  auto bytes = is_run ? std::vector<std::byte>() : read_file(flags.path);
  const bool is_packet = run::is_packet(bytes);
  check<UsageError>(is_packet || !flags.packet.shapes, "--shapes: expected a packet; '{}' is none",
                    flags.path);
  if (is_run) {
    print_report(flags, run::summarize_run(flags.path));
  } else if (is_packet) {
    const auto report = run::report_packet(flags.path, bytes, flags.packet);
    print_report(flags, report);
    check(report.sound(), "'{}': the packet is damaged: its checksum is wrong", flags.path);
  } else {
    print_report(flags, run::table_of({flags.path, std::move(bytes)}));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  int result = 0;
  const int failure = terse::run::run_program("inspect", [&] { result = inspect(argc, argv); });
  return failure != 0 ? failure : result;
}
