// inspect as a user runs it, on what train has written and on files of other programs.
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tersegrad/core/safetensors.hpp"
#include "tersegrad/optim/compressor.hpp"
#include "tests/examples/program_fixture.hpp"

namespace {

using json = nlohmann::json;

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

class Inspect : public ProgramFixture {
 protected:
  // In the folder of the test, so that paths are short.
  void SetUp() override {
    ProgramFixture::SetUp();
    fs::current_path(folder);
  }
  void TearDown() override {
    fs::current_path(before_);
    ProgramFixture::TearDown();
  }

  void train(const std::string& flags) const {
    const auto o = run("train" + small + "--schedule constant " + flags);
    ASSERT_EQ(o.code, 0) << o.error;
  }
  Outcome inspect(const std::string& arguments, int code = 0) const {
    auto o = run("inspect " + arguments);
    EXPECT_EQ(o.code, code) << arguments << ": " << o.error;
    return o;
  }

  void write(const std::string& name, std::string_view bytes) const {
    std::ofstream(folder / name, std::ios::binary) << bytes;
  }
  void write(const std::string& name, const std::vector<terse::ArrayToWrite>& arrays) const {
    std::ofstream out(folder / name, std::ios::binary);
    terse::write_safetensors(out, arrays, {{"format", "pt"}});
  }
  // Changes one byte, counted from the end.
  void damage(const std::string& name, std::size_t from_end) const {
    auto bytes = read(folder / name);
    bytes[bytes.size() - from_end] ^= 1;
    write(name, bytes);
  }
  // The packet that a compressor makes of two tensors.
  // Of a matrix of so many rows and columns, and of four values.
  std::string packet_of(const std::string& spec, std::int64_t rows = 3,
                        std::int64_t cols = 4) const {
    std::vector<float> values(static_cast<std::size_t>(rows * cols) + 4);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i));
    const std::vector<terse::GradView> views = {
        {.id = 0, .rows = rows, .cols = cols, .data = std::span(values).first(values.size() - 4)},
        {.id = 1, .rows = 4, .cols = 1, .data = std::span(values).last(4)}};
    const auto compressor = terse::make_compressor(spec);
    terse::Packet packet;
    compressor->encode(
        {.seed = 1, .step = 5, .worker = 2, .workers = 4, .count = terse::count(views)}, views,
        packet);
    packet.seal();
    return {reinterpret_cast<const char*>(packet.bytes().data()), packet.size_bytes()};
  }

 private:
  const fs::path before_ = fs::current_path();
};

void expect_eighty_columns(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line) && !line.starts_with('{');) {
    std::size_t width = 0;
    for (const char c : line) width += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
    EXPECT_LE(width, 80U) << line;
  }
}

// ---- run folders --------------------------------------------------------------------------------

TEST_F(Inspect, SummarizesARun) {
  train("--steps 6 --compressor sign+ef --checkpoint-every 4 --out whole");
  train("--resume whole --steps 9");
  const auto o = inspect("whole --json");
  expect_eighty_columns(o.out);
  EXPECT_NE(o.out.find("whole: a run of 9 steps"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("sign:scale=l1,scope=tensor+ef"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("after step 6: steps 9 instead of 6"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("checkpoint.safetensors: step 9"), std::string::npos) << o.out;
  const auto summary = last_line(o.out);
  EXPECT_EQ(summary["kind"], "run");
  EXPECT_EQ(summary["steps"], 9);
  EXPECT_EQ(summary["config"], json::parse(read("whole/config.json")));
  EXPECT_EQ(summary["log"]["last_report"]["step"], 9);
  EXPECT_TRUE(summary["log"]["last_evaluation"].contains("test_accuracy"));
  EXPECT_EQ(summary["log"]["bytes"], fs::file_size("whole/log.jsonl"));
  EXPECT_EQ(summary["log"]["unreadable"], 0);
  ASSERT_EQ(summary["checkpoints"].size(), 2U);
  EXPECT_EQ(summary["checkpoints"][0]["step"], 9);
  EXPECT_EQ(summary["checkpoints"][1]["step"], 8);
}

TEST_F(Inspect, NamesTheSplitOfAnEvaluation) {
  train("--steps 6 --out test");
  EXPECT_NE(inspect("test").out.find("step 6: test accuracy "), std::string::npos);
  const auto run_on_valid =
      run("train --data synthetic:size=14,train=400,test=100,valid=40 --model mlp:hidden=16 "
          "--batch 10 --workers 2 --steps 6 --evaluate valid --out valid");
  ASSERT_EQ(run_on_valid.code, 0) << run_on_valid.error;
  const auto o = inspect("valid --json");
  expect_eighty_columns(o.out);
  EXPECT_NE(o.out.find("step 6: validation accuracy "), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("1 evaluation"), std::string::npos) << o.out;
  EXPECT_TRUE(last_line(o.out)["log"]["last_evaluation"].contains("valid_accuracy"));
}

TEST_F(Inspect, ADamagedCheckpointOrLogLineIsPartOfTheSummary) {
  train("--steps 6 --checkpoint-every 4 --out run");
  damage("run/checkpoint.safetensors", 40);
  std::ofstream("run/log.jsonl", std::ios::app) << "{\"step\": 7, \"lo\n";
  const auto o = inspect("run --json");
  expect_eighty_columns(o.out);
  EXPECT_NE(o.out.find("damaged"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("1 unreadable"), std::string::npos) << o.out;
  const auto summary = last_line(o.out);
  EXPECT_EQ(summary["checkpoints"][0]["sound"], false);
  EXPECT_EQ(summary["checkpoints"][1]["step"], 4);
  EXPECT_EQ(summary["steps"], 6) << "of the log";
  fs::remove_all("run/checkpoint.safetensors");
  fs::remove_all("run/checkpoint.previous.safetensors");
  EXPECT_NE(inspect("run").out.find("none"), std::string::npos);
}

// ---- arrays -------------------------------------------------------------------------------------

TEST_F(Inspect, ListsTheArraysOfACheckpoint) {
  train("--steps 3 --compressor topk:ratio=0.1+ef --out run");
  const auto o = inspect("run/checkpoint.safetensors --json");
  expect_eighty_columns(o.out);
  EXPECT_NE(o.out.find("a sound checkpoint of step 3"), std::string::npos) << o.out;
  EXPECT_LT(o.out.find("\nmetadata\n"), o.out.find("\nworker.0: "));
  EXPECT_LT(o.out.find("\nworker.0: "), o.out.find("\nworker.1: "));
  EXPECT_NE(o.out.find("\nworker.1/method/ef.residual/\n"), std::string::npos) << o.out;
  const auto checkpoint = last_line(o.out);
  EXPECT_EQ(checkpoint["kind"], "checkpoint");
  EXPECT_EQ(checkpoint["step"], 3);
  EXPECT_EQ(checkpoint["metadata"]["step"], "3");
  int residuals = 0;
  for (const auto& array : checkpoint["arrays"]) {
    const auto name = array["name"].get<std::string>();
    EXPECT_EQ(array["hash"].get<std::string>().size(), 16U);
    if (array["type"] != "F32" || name.find("/ef.residual/") == std::string::npos) continue;
    ++residuals;
    EXPECT_GT(array["norm"], 0) << name;
  }
  EXPECT_EQ(residuals, 2 * 4) << "two workers, two layers of weight and bias";
  damage("run/checkpoint.safetensors", 40);
  expect_refused("inspect run/checkpoint.safetensors", 1, "the file is damaged");
  fs::resize_file("run/checkpoint.safetensors", 5000);
  expect_refused("inspect run/checkpoint.safetensors", 1, "'run/checkpoint.safetensors': ");
}

TEST_F(Inspect, KnowsEveryTypeOfTheFormat) {
  constexpr float kInfinite = std::numeric_limits<float>::infinity();
  const std::vector<float> f32 = {3, -4, kInfinite, NAN, -kInfinite}, none;
  const std::vector<double> f64 = {3e200, -4e200};
  const std::vector<std::uint16_t> f16 = {0x3c00, 0xc000, 0x7c00},  // 1, -2, infinite
      bf16 = {0x3f80, 0xc040, 0x7fc0};                              // 1, -3, NaN
  const std::vector<std::int64_t> i64 = {std::numeric_limits<std::int64_t>::min(), 5};
  const std::vector<std::uint64_t> u64 = {std::numeric_limits<std::uint64_t>::max()};
  const std::vector<std::int8_t> i8 = {-1, 127};
  const std::vector<std::uint8_t> mask = {0, 1};
  write("all.safetensors", {{"bf16", "BF16", {3}, bytes_of(bf16)},
                            {"empty", "F32", {0, 4}, bytes_of(none)},
                            {"f16", "F16", {3, 1}, bytes_of(f16)},
                            {"f32", "F32", {5}, bytes_of(f32)},
                            {"f64", "F64", {2}, bytes_of(f64)},
                            {"i64", "I64", {2}, bytes_of(i64)},
                            {"i8", "I8", {2}, bytes_of(i8)},
                            {"mask", "BOOL", {2}, bytes_of(mask)},
                            {"u64", "U64", {}, bytes_of(u64)}});
  const auto o = inspect("all.safetensors --json");
  expect_eighty_columns(o.out);
  const auto file = last_line(o.out);
  EXPECT_EQ(file["kind"], "safetensors");
  EXPECT_EQ(file["metadata"]["format"], "pt");
  std::map<std::string, json> arrays;
  for (const auto& array : file["arrays"]) arrays[array["name"]] = array;
  const auto expect = [&](const char* name, const json& norm, const json& least, const json& most,
                          int infinite, int nan) {
    const auto& array = arrays[name];
    EXPECT_EQ(array["min"], least) << name;
    EXPECT_EQ(array["max"], most) << name;
    EXPECT_EQ(array["infinite"], infinite) << name;
    EXPECT_EQ(array["nan"], nan) << name;
    ASSERT_EQ(array["norm"].is_null(), norm.is_null()) << name;
    if (norm.is_null()) return;
    EXPECT_DOUBLE_EQ(array["norm"].get<double>(), norm.get<double>()) << name;
  };
  expect("f32", 5.0, -4.0, 3.0, 2, 1);
  expect("f64", 5e200, -4e200, 3e200, 0, 0);
  expect("f16", std::sqrt(5.0), -2.0, 1.0, 1, 0);
  expect("bf16", std::sqrt(10.0), -3.0, 1.0, 0, 1);
  expect("empty", 0.0, nullptr, nullptr, 0, 0);
  expect("i64", nullptr, i64[0], 5, 0, 0);
  expect("u64", nullptr, u64[0], u64[0], 0, 0);
  expect("i8", nullptr, -1, 127, 0, 0);
  expect("mask", nullptr, 0, 1, 0, 0);
  EXPECT_NE(o.out.find("of 5 values: 2 infinite, 1 NaN"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("U64  scalar"), std::string::npos) << o.out;
}

TEST_F(Inspect, NamesCannotControlATerminal) {
  const std::vector<float> one = {1};
  write("evil.safetensors", {{"\x1b[31m", "F32", {1}, bytes_of(one)}});
  EXPECT_EQ(inspect("evil.safetensors").out.find('\x1b'), std::string::npos);
}

// ---- differences --------------------------------------------------------------------------------

TEST_F(Inspect, AResumedRunEqualsAWholeOne) {
  const std::string method = "--compressor topk:ratio=0.1+ef --optimizer sgd:momentum=0.9 --out ";
  train("--steps 12 " + method + "whole");
  train("--steps 5 " + method + "paused");
  const auto early = inspect("whole --json --diff paused", 1);
  EXPECT_EQ(last_line(early.out)["equal"], false);
  train("--steps 12 --resume paused");
  const auto o = inspect("whole --json --diff paused");
  const auto same = last_line(o.out);
  EXPECT_EQ(same["kind"], "difference");
  EXPECT_EQ(same["equal"], true);
  EXPECT_GT(same["equal_arrays"], 50);
  EXPECT_GT(same["left_out"], 4);
  EXPECT_EQ(same["first"]["step"], 12);
  EXPECT_NE(o.out.find("arrays of measured seconds (--times)"), std::string::npos) << o.out;
  const auto timed = inspect("whole --times --json --diff paused", 1);
  EXPECT_EQ(last_line(timed.out)["left_out"], 0);
  for (const auto& array : last_line(timed.out)["differing"]) {
    EXPECT_NE(array["name"].get<std::string>().find("/time"), std::string::npos) << array;
  }
}

TEST_F(Inspect, ShowsWhereTwoRunsDiffer) {
  train("--steps 4 --compressor sign+ef --out a");
  train("--steps 4 --compressor sign+ef --seed 2 --out b");
  train("--steps 4 --compressor sign --out c");
  const auto seeds = inspect("a/checkpoint.safetensors --json --diff b", 1);
  EXPECT_NE(seeds.out.find("... and"), std::string::npos) << "ten arrays are listed\n" << seeds.out;
  const auto differing = last_line(seeds.out)["differing"];
  EXPECT_GT(differing.size(), 10U);
  for (const auto& array : differing) EXPECT_GT(array["values_differing"], 0) << array;
  const auto memory = inspect("a --json --diff c", 1);
  EXPECT_NE(memory.out.find("only in the first"), std::string::npos) << memory.out;
  EXPECT_EQ(memory.out.find("only in the second"), std::string::npos) << memory.out;
  for (const auto& name : last_line(memory.out)["only_in_first"]) {
    EXPECT_NE(name.get<std::string>().find("/ef.residual/"), std::string::npos) << name;
  }
}

TEST_F(Inspect, MeasuresDifferences) {
  const std::vector<float> a = {3, 4, 0, 1}, b = {3, 4.5, 0, 1}, nan = {3, NAN, 0, 1},
                           zero = {-0.F};
  const std::vector<float> plus = {0};
  const std::vector<std::uint64_t> u = {1, std::uint64_t{1} << 63}, v = {2, 0};
  write("a.safetensors", {{"nan", "F32", {4}, bytes_of(a)},
                          {"same", "F32", {4}, bytes_of(nan)},
                          {"shape", "F32", {4}, bytes_of(a)},
                          {"time/seconds", "F32", {4}, bytes_of(a)},
                          {"time#2/seconds", "F32", {4}, bytes_of(a)},
                          {"timed/time", "F32", {4}, bytes_of(a)},
                          {"u", "U64", {2}, bytes_of(u)},
                          {"values", "F32", {4}, bytes_of(a)},
                          {"zero", "F32", {1}, bytes_of(zero)}});
  write("b.safetensors", {{"nan", "F32", {4}, bytes_of(nan)},
                          {"new", "F32", {4}, bytes_of(a)},
                          {"same", "F32", {4}, bytes_of(nan)},
                          {"shape", "F32", {2, 2}, bytes_of(a)},
                          {"time/seconds", "F32", {4}, bytes_of(b)},
                          {"timed/time", "F32", {4}, bytes_of(b)},
                          {"u", "U64", {2}, bytes_of(v)},
                          {"values", "F32", {4}, bytes_of(b)},
                          {"zero", "F32", {1}, bytes_of(plus)}});
  const auto o = inspect("a.safetensors --json --diff b.safetensors", 1);
  expect_eighty_columns(o.out);
  const auto difference = last_line(o.out);
  EXPECT_EQ(difference["left_out"], 2);
  EXPECT_EQ(difference["only_in_first"], json::array());
  EXPECT_EQ(difference["only_in_second"], json::array({"new"}));
  EXPECT_EQ(difference["equal_arrays"], 1);
  std::map<std::string, json> arrays;
  for (const auto& array : difference["differing"]) arrays[array["name"]] = array;
  EXPECT_EQ(arrays.size(), 6U) << "nan, shape, timed/time, u, values, zero";
  EXPECT_EQ(arrays["values"]["largest"], 0.5);
  EXPECT_EQ(arrays["values"]["values_differing"], 1);
  EXPECT_EQ(arrays["values"]["values"], 4);
  EXPECT_NEAR(arrays["values"]["relative_norm"].get<double>(), 0.5 / std::sqrt(26.0), 1e-12);
  EXPECT_EQ(arrays["u"]["largest"], 0x1p63);
  EXPECT_EQ(arrays["u"]["values_differing"], 2);
  EXPECT_TRUE(arrays["nan"]["largest"].is_null());
  EXPECT_EQ(arrays["zero"]["largest"], 0.0);
  EXPECT_EQ(arrays["zero"]["values_differing"], 1) << "-0 has other bits than 0";
  EXPECT_EQ(arrays["shape"]["shapes"], json::array({json::array({4}), json::array({2, 2})}));
  EXPECT_NE(o.out.find("F32 4 against F32 2x2"), std::string::npos) << o.out;
}

TEST_F(Inspect, ComparesTheNewestSoundCheckpoint) {
  train("--steps 6 --checkpoint-every 4 --out run");
  train("--steps 4 --out other");
  damage("run/checkpoint.safetensors", 40);
  const auto o = inspect("run --diff other");
  EXPECT_NE(o.error.find("reading the checkpoint before the newest, of step 4"), std::string::npos)
      << o.error;
  fs::remove("run/checkpoint.previous.safetensors");
  expect_refused("inspect other --diff run", 1, "the file is damaged");
}

// ---- packets ------------------------------------------------------------------------------------

TEST_F(Inspect, ShowsAPacketByField) {
  write("packet", packet_of("sign"));
  const auto whole = inspect("packet --json");
  expect_eighty_columns(whole.out);
  EXPECT_NE(whole.out.find("3 (sign)"), std::string::npos) << whole.out;
  EXPECT_NE(whole.out.find(", right"), std::string::npos) << whole.out;
  EXPECT_NE(whole.out.find("--shapes"), std::string::npos) << "the flag that gives the fields";
  const auto header = last_line(whole.out);
  EXPECT_EQ(header["kind"], "packet");
  EXPECT_EQ(header["compressor_name"], "sign");
  EXPECT_EQ(header["packet_kind"], "up");
  EXPECT_EQ(header["step"], 5);
  EXPECT_EQ(header["worker"], 2);
  EXPECT_EQ(header["tensors"], 2);
  EXPECT_EQ(header["sound"], true);
  EXPECT_EQ(header["payload_bytes"], 12);
  EXPECT_TRUE(header["fields"].empty());
  const auto o = inspect("packet --json --shapes 3x4,4");
  expect_eighty_columns(o.out);
  EXPECT_NE(o.out.find("sign bits"), std::string::npos) << o.out;
  EXPECT_EQ(last_line(o.out)["fields"].size(), 2U);
  expect_refused("inspect packet --shapes 3x4", 2, "expected 2 shapes");
  expect_refused("inspect packet --shapes 3x44,44", 2, "does not fit these shapes and sign");
  expect_refused("inspect packet --shapes 3x", 2, "--shapes: ");
}

// Every compressor of the registry whose packets the registry's number identifies.
TEST_F(Inspect, FindsTheFieldsOfEveryCompressor) {
  for (const auto& entry : terse::compressor_registry()) {
    const std::string spec(entry.example);
    write("packet", packet_of(spec, 8, 9));  // large enough that PowerSGD factors it
    const auto o = inspect("packet --json --shapes 8x9,4 --compressor '" + spec + "'");
    EXPECT_FALSE(last_line(o.out)["fields"].empty()) << spec;
    expect_eighty_columns(o.out);
  }
  write("packet", packet_of("qsgd:bits=8"));
  expect_refused("inspect packet --shapes 3x4,4", 2, "--compressor");
}

TEST_F(Inspect, ADamagedPacketIsShownAndIsAnError) {
  write("packet", packet_of("sign"));
  damage("packet", 1);
  const auto o = inspect("packet --shapes 3x4,4 --json", 1);
  EXPECT_NE(o.out.find("wrong: expected"), std::string::npos) << o.out;
  EXPECT_EQ(last_line(o.out)["sound"], false);
  EXPECT_TRUE(last_line(o.out)["fields"].empty());
  EXPECT_NE(o.error.find("'packet': the packet is damaged: its checksum is wrong"),
            std::string::npos)
      << o.error;
  fs::resize_file("packet", 40);
  expect_refused("inspect packet", 1, "expected 12 payload bytes by the header; got 8");
  auto newer = packet_of("sign");
  newer[3] = 2;
  write("packet", newer);
  expect_refused("inspect packet", 1, "magic and version");
}

// ---- errors -------------------------------------------------------------------------------------

TEST_F(Inspect, RefusesWhatItDoesNotKnow) {
  write("text", "nothing that a program of this project has written");
  write("short", "TSG");
  write("empty", "");
  write("packet", packet_of("sign"));
  fs::create_directory("folder");
  for (const char* path : {"text", "short", "empty", "folder"}) {
    expect_refused("inspect " + std::string(path), 1,
                   "expected the folder of a run, a safetensors file or the bytes of a packet");
  }
  expect_refused("inspect missing", 1, "'missing': cannot be read: No such file or directory");
  expect_refused("inspect /dev/null", 1, "expected a regular file");
  expect_refused("inspect", 2, "path: expected a run folder or a file");
  expect_refused("inspect packet --times", 2, "--times: expected --diff");
  expect_refused("inspect packet --compressor sign", 2, "--compressor: expected --shapes");
  expect_refused("inspect text --shapes 3", 2, "--shapes: expected a packet");
  expect_refused("inspect text --shapes 3 --diff text", 2, "--shapes: ");
  expect_refused("inspect packet --diff packet", 2, "'packet' is a packet");
  expect_refused("inspect text --diff packet", 1, "'text': expected the folder of a run");
  expect_refused("inspect missing --diff packet", 1, "'missing': cannot be read");
  write("packet", "{}");
  fs::create_directory("run");
  write("run/config.json", "[1");
  expect_refused("inspect run", 1, "'run/config.json': expected a JSON object");
}

}  // namespace
