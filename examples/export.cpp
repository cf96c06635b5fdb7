// Writes the trained model of a run as a file for other programs.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "examples/run/checkpoint.hpp"
#include "examples/run/command_line.hpp"
#include "examples/run/output.hpp"
#include "examples/run/program.hpp"
#include "examples/run/result_file.hpp"
#include "examples/run/trained_model.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/name_table.hpp"
#include "tersegrad/inspect/json.hpp"
#include "tersegrad/inspect/run_folder.hpp"
#include "tersegrad/nn/onnx.hpp"
#include "tersegrad/nn/weights.hpp"

namespace {

using namespace terse;

enum class Format : std::uint8_t { safetensors, npz, onnx };

constexpr NameTable<Format, 3> kFormats = {
    {{"safetensors", Format::safetensors}, {"npz", Format::npz}, {"onnx", Format::onnx}}};

void write(const run::TrainedModel& trained, Format format, const std::filesystem::path& file) {
  switch (format) {
    case Format::safetensors:
      return nn::save(trained.module(), file);
    case Format::npz:
      return nn::save_npz(trained.module(), file);
    case Format::onnx:
      return trained.image ? nn::export_onnx(*trained.image, trained.task, file)
                           : nn::export_onnx(*trained.text, file);
  }
}

run::Checkpoint read(const std::string& path) {
  return std::filesystem::is_directory(path) ? run::Checkpoint::of_folder(path)
                                             : run::Checkpoint(std::filesystem::path(path));
}

void export_model(int argc, char** argv) {
  std::string path, format = "safetensors";
  std::optional<std::string> out;
  bool json = false;
  run::CommandLine command_line(
      "export", "Writes the trained model of a run for PyTorch, NumPy or an inference engine.",
      "export runs/a --format onnx");
  command_line.positional("run", path, "folder of a run, or a checkpoint")
      .flag("--format", format, "safetensors, npz (NumPy) or onnx (opset 13)")
      .flag("--out", out, "file to write or replace [model.FORMAT in run]")
      .flag("--json", json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  check<UsageError>(!path.empty(),
                    "run: expected the folder of a run; for instance: export runs/a --format onnx");
  const auto kind = run::for_flag("--format", [&] { return value_in(kFormats, "format", format); });
  const auto checkpoint = read(path);
  const auto trained = run::trained_model(checkpoint);
  const auto file =
      out ? std::filesystem::path(*out) : checkpoint.file().parent_path() / ("model." + format);
  run::check_result_file("--out", file, run::IfThere::replace);
  write(trained, kind, file);
  const auto parameters = nn::count_parameters(trained.module());
  run::print("{}: {} parameters of step {}\n", file.string(), parameters, checkpoint.step());
  if (json) {
    run::print("{}\n", json_text({{"file", file.string()},
                                  {"format", format},
                                  {"parameters", parameters},
                                  {"step", checkpoint.step()}}));
  }
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_program("export", [&] { export_model(argc, argv); });
}
