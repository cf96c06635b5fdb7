// What `report` reads: logs in bounded memory, decimation, sizes of packets, commands.
#include "examples/report/log_data.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <streambuf>
#include <string>
#include <vector>

#include "examples/report/command.hpp"
#include "examples/report/decimation.hpp"
#include "examples/report/line_reader.hpp"
#include "examples/report/packet_sizes.hpp"
#include "examples/report/packets.hpp"
#include "examples/report/page.hpp"
#include "examples/report/short_numbers.hpp"
#include "examples/report/step_line.hpp"
#include "examples/run/config.hpp"
#include "examples/run/methods.hpp"
#include "examples/run/step_time.hpp"
#include "tersegrad/core/error.hpp"

namespace {

using namespace terse;
using namespace terse::run;
using nlohmann::json;
namespace fs = std::filesystem;

std::string step_line(std::int64_t step, double loss) {
  return json({{"step", step},
               {"loss", loss},
               {"lr", 0.1},
               {"message_bytes", 800},
               {"bytes_sent", 100 * step},
               {"time",
                {{"compute", 0.5},
                 {"exchange", 0.25},
                 {"seconds", 0.04 * static_cast<double>(step)}}}})
             .dump() +
         "\n";
}

const std::string kTest =
    R"({"step":50,"epoch":2,"train_loss":1.5,"test_loss":0.5,"test_accuracy":0.75,)"
    R"("bytes_sent_per_worker":5000})"
    "\n";

LogData log_of(const std::string& text, PageLimits limits = PageLimits::of(1)) {
  std::istringstream in(text);
  return read_log_data(in, "runs/a/log.jsonl", "runs/a", limits);
}

std::string error_of(const std::string& text) {
  try {
    log_of(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

TEST(Decimation, KeepsTheExtremesAndTheEndsOfALongCurve) {
  Decimation curve(100);
  for (int i = 0; i < 100'003; ++i) {
    double value = std::sin(i * 1e-3);
    if (i == 54'321) value = 7;
    if (i == 77'777) value = -7;
    if (i == 60'000) value = NAN;
    curve.add({.value = value, .cells = {static_cast<double>(i)}});
  }
  const auto points = curve.points();
  EXPECT_LE(points.size(), 203U);
  EXPECT_GE(points.size(), 100U);
  const auto has = [&](double cell) {
    return std::ranges::any_of(points, [&](const auto& p) { return p.cells[0] == cell; });
  };
  for (const double index : {0, 54'321, 77'777, 60'000, 100'002}) EXPECT_TRUE(has(index)) << index;
  EXPECT_TRUE(std::ranges::is_sorted(points, {}, &CurvePoint::index));
}

TEST(Decimation, KeepsEveryPointOfAShortCurve) {
  for (const int count : {0, 1, 2, 99, 100}) {
    Decimation curve(100);
    for (int i = 0; i < count; ++i) curve.add({.value = i % 7 * 1.0, .cells = {}});
    EXPECT_EQ(curve.points().size(), static_cast<std::size_t>(count));
  }
}

TEST(Decimation, ThinningKeepsTheFirstAndTheLastItem) {
  for (const int count : {1, 2, 7, 8, 9, 50, 1001}) {
    Thinning<int> thinning(8);
    for (int i = 0; i < count; ++i) thinning.add(i);
    const auto items = thinning.items();
    EXPECT_LE(items.size(), 8U);
    EXPECT_EQ(items.front(), 0);
    EXPECT_EQ(items.back(), count - 1);
    EXPECT_TRUE(std::ranges::is_sorted(items));
  }
}

// A text of many equal lines that is never in memory.
class LongText : public std::streambuf {
 public:
  LongText(std::string line, std::int64_t lines) : line_(std::move(line)), left_(lines) {}

 private:
  int_type underflow() override {
    if (left_-- == 0) return traits_type::eof();
    setg(line_.data(), line_.data(), line_.data() + line_.size());
    return traits_type::to_int_type(line_.front());
  }
  std::string line_;
  std::int64_t left_;
};

TEST(LineReader, ReadsAnyNumberOfLinesThroughOneBuffer) {
  LongText text(std::string(999, 'x') + '\n', 200'000);  // 200 MB
  std::istream in(&text);
  LineReader reader(in, "long");
  const char* first = nullptr;
  std::int64_t bytes = 0;
  const char *low = nullptr, *high = nullptr;
  for (std::string_view line; reader.next(line);) {
    if (first == nullptr) first = low = high = line.data();
    low = std::min(low, line.data());
    high = std::max(high, line.data());
    bytes += std::ssize(line) + 1;
  }
  EXPECT_EQ(bytes, 200'000'000);
  EXPECT_EQ(reader.number(), 200'001);
  EXPECT_LT(high - low, 1 << 17);
}

TEST(LineReader, RefusesALineThatWouldFillTheMemory) {
  LongText text(std::string(1000, 'x'), 1'000'000);
  std::istream in(&text);
  LineReader reader(in, "long");
  std::string_view line;
  EXPECT_THROW(reader.next(line), Error);
}

TEST(LogData, HasTheColumnsOfReportsAndTests) {
  const auto log = log_of(step_line(25, 2) + step_line(50, 1) + kTest + step_line(75, 0.5));
  ASSERT_EQ(log.steps.size(), 3U);
  EXPECT_EQ(log.steps[1].cells[LogData::kLoss], 1);
  EXPECT_EQ(log.steps[1].cells[LogData::kBytes], 5000);
  EXPECT_EQ(log.steps[1].cells[LogData::kWall], 2);
  ASSERT_EQ(log.evaluations.size(), 1U);
  EXPECT_EQ(log.evaluations[0].cells[LogData::kScore], 75);
  EXPECT_EQ(log.evaluations[0].cells[LogData::kTestWall], 2);
  EXPECT_EQ(log.epochs_per_step, 0.04);
  EXPECT_EQ(log.is_perplexity, false);
  EXPECT_EQ(log.last_step, 75);
  ASSERT_TRUE(log.times);  // of the last two reports, which have 25 steps each
  EXPECT_DOUBLE_EQ(log.times->parts[Part::compute], 0.02);
  EXPECT_FALSE(log.virtual_times);
  EXPECT_TRUE(log.notes.empty());
}

TEST(LogData, KnowsTheSplitOfAnEvaluation) {
  EXPECT_EQ(log_of(step_line(25, 2) + kTest).split, Split::test);
  auto line = json::parse(kTest);
  for (const auto* value : {"loss", "accuracy"}) {
    line[std::string("valid_") + value] = line[std::string("test_") + value];
    line.erase(std::string("test_") + value);
  }
  const auto log = log_of(step_line(25, 2) + line.dump() + '\n');
  EXPECT_EQ(log.split, Split::valid);
  ASSERT_EQ(log.evaluations.size(), 1U);
  EXPECT_EQ(log.evaluations[0].cells[LogData::kScore], 75);
  EXPECT_EQ(log.evaluations[0].cells[LogData::kTestLoss], 0.5);
}

TEST(LogData, LeavesOutALineThatIsCutAtTheEnd) {
  const auto log = log_of(step_line(25, 2) + R"({"step":50,"lo)");
  EXPECT_EQ(log.steps.size(), 1U);
  ASSERT_EQ(log.notes.size(), 1U);
  EXPECT_EQ(log.notes[0], "runs/a: the log ends within line 2, which is left out");
  EXPECT_EQ(log_of(step_line(25, 2) + R"({"step":50,"loss":1,"lr":1})").steps.size(), 2U);
}

TEST(LogData, NamesFileAndLineOfWhatIsNoJson) {
  EXPECT_EQ(error_of(step_line(25, 2) + "garbage\x1b[2J\n" + step_line(50, 1)),
            "'runs/a/log.jsonl', line 2: expected a JSON object; got 'garbage?[2J'; remove the "
            "line");
  EXPECT_NE(error_of("[1, 2]\n").find("line 1: expected a JSON object"), std::string::npos);
  EXPECT_NE(error_of("\n" + step_line(25, 2)).find("line 1"), std::string::npos);
}

TEST(LogData, ReadsAReportInAnyForm) {
  auto line = json::parse(step_line(25, 2));
  line["time"]["virtual"] = {{"exchange", 0.125}};
  line["time"]["virtual_seconds"] = 3;
  line["time"]["hidden"] = 0.0625;
  StepLine scanned;
  ASSERT_TRUE(scan_step_line(line.dump(), scanned));
  EXPECT_FALSE(scan_step_line(line.dump(1), scanned));
  EXPECT_FALSE(scan_step_line(line.dump() + "}", scanned));
  EXPECT_FALSE(scan_step_line(line.dump().substr(1), scanned));
  EXPECT_FALSE(scan_step_line(R"({"step":1,"lr":inf})", scanned));
  line["new"] = 1;
  EXPECT_FALSE(scan_step_line(line.dump(), scanned));
  line.erase("new");
  for (const auto& text : {line.dump(), line.dump(0)}) {
    const bool is_known = scan_step_line(text, scanned);
    const auto read = is_known ? scanned : step_line_of(json::parse(text));
    EXPECT_EQ(read.step, 25);
    EXPECT_EQ(read.loss, 2);
    EXPECT_EQ(read.times[Part::exchange], 0.25);
    EXPECT_EQ(read.virtual_times[Part::exchange], 0.125);
    EXPECT_EQ(read.virtual_seconds, 3);
    EXPECT_EQ(read.hidden, 0.0625);
  }
}

TEST(LogData, IgnoresNewerKeysAndLinesAndValuesOfOtherTypes) {
  const auto log = log_of(R"({"step":25,"loss":1,"lr":0.1,"new":[1],"time":"soon"})"
                          "\n"
                          R"({"step":"x","loss":1,"lr":0.1})"
                          "\n"
                          R"({"weather":"fine"})"
                          "\n"
                          R"({"step":50,"loss":null,"lr":0.1})"
                          "\n");
  ASSERT_EQ(log.steps.size(), 2U);
  EXPECT_TRUE(std::isnan(log.steps[1].cells[LogData::kLoss]));
  EXPECT_FALSE(log.times);
}

TEST(LogData, NotesWhatHappenedInTheRun) {
  const auto log =
      log_of(step_line(25, 2) + R"({"interrupted":"by SIGINT"})" + "\n" +
             R"({"dropped":{"worker":3,"step":30,"error":"died"}})" + "\n" + step_line(50, 1));
  ASSERT_EQ(log.notes.size(), 1U) << "the run was continued";
  EXPECT_EQ(log.notes[0], "runs/a: worker 3 left at step 30: died");
  const auto ended = log_of(step_line(25, 2) + R"({"interrupted":"by SIGINT"})" + "\n");
  ASSERT_EQ(ended.notes.size(), 1U);
  EXPECT_EQ(ended.notes[0], "runs/a: the run is not finished: by SIGINT");
  EXPECT_EQ(log_of("").notes.at(0), "runs/a: the log has no report yet");
}

TEST(LogData, TakesTheLastStalenessAndTheFirstPushes) {
  auto limits = PageLimits::of(1);
  limits.pushes = 3;
  const auto log = log_of(
      "{\"step\":1,\"staleness\":[1]}\n{\"pushes\":[[0,0,1,0],[1,0,2,1]]}\n"
      "{\"pushes\":[[0,1,3,1],[1,2,4,1]]}\n{\"step\":2,\"staleness\":[1,3]}\n",
      limits);
  EXPECT_EQ(log.staleness, json({1, 3}));
  EXPECT_EQ(log.pushes.size(), 3U);
}

TEST(ShortNumbers, RoundsFractionsOnly) {
  json value = {{"a", 0.1234567}, {"b", {1e-9 / 3, 2.0, 123456789}}, {"c", "0.1234567"}};
  shorten_numbers(value, 4);
  EXPECT_EQ(value.dump(), R"({"a":0.1235,"b":[3.333e-10,2,123456789],"c":"0.1234567"})");
}

// ---- recorded packets ---------------------------------------------------------------------------

// A run folder with the packets of two workers in `steps` steps, as train --record writes them.
class RecordedPackets : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  void record(int steps) {
    auto list = json::array();
    for (int step = 0; step < steps; ++step) {
      for (int worker = 0; worker < 2; ++worker) write(step, worker);
      list.push_back(
          {{"step", step},
           {"workers", {{{"worker", 0}}, {{"worker", 1}}}},
           {"packets",
            {{{"file", "packet.phase-0.bin"}, {"phase", 0}, {"first", 0}, {"count", 40}}}}});
    }
    std::ofstream(folder_ / "records" / "records.json") << json({{"steps", list}});
  }
  json packets(const std::vector<MatrixShape>& shapes) {
    return recorded_packets(folder_, "sign", shapes, PageLimits::of(1), notes_);
  }

  const std::vector<MatrixShape> shapes_ = {{"a", 8, 4, 1}, {"b", 8, 1, 1}};
  const fs::path folder_ =
      fs::temp_directory_path() / ("terse_records_" + std::to_string(getpid()));
  std::vector<std::string> notes_;

 private:
  void write(int step, int worker) const {
    std::vector<float> values(40, -0.5F);
    Packet packet;
    const auto compressor = make_compressor("sign");
    compressor->encode({.step = static_cast<std::uint64_t>(step),
                        .worker = static_cast<std::uint32_t>(worker),
                        .workers = 2,
                        .count = 40},
                       views_of(values, shapes_), packet);
    packet.seal();
    const auto where = folder_ / "records" / ("step-" + std::to_string(step)) /
                       ("worker-" + std::to_string(worker));
    fs::create_directories(where);
    std::ofstream(where / "packet.phase-0.bin", std::ios::binary)
        .write(reinterpret_cast<const char*>(packet.bytes().data()),
               static_cast<std::streamsize>(packet.size_bytes()));
  }
};

TEST_F(RecordedPackets, HaveHeaderFieldsAndBytes) {
  record(1);
  const auto list = packets(shapes_);
  ASSERT_EQ(list.size(), 2U);
  const auto& packet = list[1];
  EXPECT_EQ(packet["worker"], 1);
  EXPECT_EQ(packet["header"]["compressor_name"], "sign");
  EXPECT_EQ(packet["header"]["kind"], "up");
  EXPECT_EQ(packet["header"]["sound"], true);
  const std::size_t bytes = packet["bytes"];
  EXPECT_EQ(packet["header"]["payload_bytes"], bytes - 32);
  EXPECT_EQ(packet["hex"].get<std::string>().size(), 2 * bytes);
  std::size_t covered = 32;
  for (const auto& field : packet["fields"]) {
    EXPECT_EQ(field["offset"], covered);
    covered += field["size"].get<std::size_t>();
  }
  EXPECT_EQ(covered, bytes);
  EXPECT_TRUE(packets({})[0]["fields"].empty());
  EXPECT_TRUE(notes_.empty());
}

TEST_F(RecordedPackets, AreTwentyFourAndOfManyStepsRatherThanOfManyWorkers) {
  record(20);
  const auto list = packets(shapes_);
  ASSERT_EQ(list.size(), 24U);
  EXPECT_EQ(list[23]["step"], 19);
  EXPECT_TRUE(packets(shapes_)[0]["fields"].size() > 0);
}

TEST_F(RecordedPackets, ThatCannotBeReadAreNoted) {
  EXPECT_TRUE(packets(shapes_).empty());
  EXPECT_TRUE(notes_.empty());
  record(1);
  std::ofstream(folder_ / "records" / "step-0" / "worker-1" / "packet.phase-0.bin") << "cut";
  EXPECT_EQ(packets(shapes_).size(), 1U);
  EXPECT_EQ(notes_.size(), 1U);
  std::ofstream(folder_ / "records" / "records.json") << "{";
  EXPECT_TRUE(packets(shapes_).empty());
  EXPECT_EQ(notes_.size(), 2U);
}

// ---- commands, labels, differences ---------------------------------------------------------------

RunConfig completed(RunConfig config) {
  complete(config);
  return config;
}

TEST(Command, HasTheFlagsThatDifferFromTheDefaults) {
  EXPECT_EQ(train_command(to_json(completed({}))), "train");
  RunConfig config;
  config.compressor = "powersgd:rank=2+ef";
  config.workers = 8;
  config.steps = 100;
  config.network = "100mbps";
  config.data = "text:path=a b.txt";
  config.model = "lstm";
  EXPECT_EQ(train_command(to_json(completed(config))),
            "train --model lstm --data 'text:path=a b.txt' --workers 8 --compressor "
            "powersgd:rank=2+ef --network 100Mbps,100us --steps 100");
  config.network = std::nullopt;
  config.transport = Transport::mpi;
  EXPECT_EQ(train_command(to_json(completed(config))).find("mpirun -n 8 train --model lstm"), 0U);
}

TEST(Command, OfANewerVersionKeepsWhatIsKnown) {
  auto config = to_json(completed({}));
  config["topology"] = "torus";
  config["colour"] = "red";
  EXPECT_NE(train_command(config).find("--topology torus"), std::string::npos);
  EXPECT_EQ(train_command(config).find("colour"), std::string::npos);
  EXPECT_EQ(unknown_keys(config), std::vector<std::string>{"colour"});
}

TEST(Labels, AreShortAndDifferent) {
  RunConfig a, b;
  a.compressor = b.compressor = "sign+ef";
  b.lr = 0.5;
  const std::vector<json> configs = {to_json(completed(a)), to_json(completed(b)),
                                     to_json(completed({})), to_json(completed({}))};
  const auto labels = labels_of(configs, {"r/1", "r/2", "r/3", "r/4"});
  EXPECT_EQ(labels, (std::vector<std::string>{"sign+ef lr=0.3", "sign+ef lr=0.5", "none (r/3)",
                                              "none (r/4)"}));
  const auto differences = differences_of(configs);
  ASSERT_EQ(differences.size(), 3U) << differences;
  EXPECT_EQ(differences[0]["values"], json({"sign+ef", "sign+ef", "none", "none"}));
  EXPECT_EQ(differences[1]["key"], "lr");
  EXPECT_EQ(differences[1]["values"], json({0.3, 0.5, 0.05, 0.05}));
}

TEST(PageText, CannotBeEndedByItsData) {
  const auto page = page_text({{"name", "</script><script>alert(1)</script>"}});
  const auto begin = page.find(R"(id="data">)") + 10;
  const auto end = page.find("</script>", begin);
  EXPECT_EQ(json::parse(page.substr(begin, end - begin))["name"],
            "</script><script>alert(1)</script>");
}

// ---- sizes of packets ---------------------------------------------------------------------------

// The bytes that a worker sends on average: the table in comm/topology/topology.hpp.
double sent_bytes(const RunConfig& c, const std::vector<PhaseBytes>& phases) {
  const auto w = static_cast<double>(c.workers);
  const bool ring = c.topology == RunTopology::ring;
  double bytes = 0;
  for (const auto& phase : phases) {
    if (phase.kind == "linear") {
      bytes += 2 * (w - 1) / w * phase.up;
    } else {
      bytes += ring && phase.kind == "gather" ? (w - 1) * phase.up
                                              : (w - 1) / w * (phase.up + phase.down);
    }
  }
  return bytes;
}

TEST(PacketSizes, PredictWhatTheWorkersOfEveryMethodSend) {
  const std::vector<MatrixShape> shapes = {{"a", 64, 96, 1}, {"b", 64, 1, 1}, {"c", 32, 64, 1}};
  for (const auto* topology : {"ring", "server"}) {
    for (const auto& method : all_methods()) {
      RunConfig config;
      config.topology = topology;
      config.compressor = method;
      config.network = "1gbe";
      config.compute = "1ms";
      complete(config);
      SyntheticGradients gradients(shapes, config.workers, config.seed);
      const auto timed = time_step(config, gradients, 1, LocalWork::declared);
      const double counted = static_cast<double>(timed.sent.payload_bytes_sent) / 4;
      const double computed = sent_bytes(config, packet_sizes(config, shapes, 1));
      // The number of entries that wangni sends is drawn.
      EXPECT_NEAR(computed / counted, 1, method.starts_with("wangni") ? 0.1 : 0.02)
          << topology << ' ' << method;
    }
  }
}

}  // namespace
