// Event files consist of records with checks, and their events have the values that were added.
// tests/inspect/read_events.py is a reader in another language.
#include "tersegrad/inspect/tensorboard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "tersegrad/core/crc.hpp"
#include "tersegrad/core/error.hpp"
#include "tests/core/protobuf_reader.hpp"
#include "tests/data/files.hpp"

namespace terse {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<ProtobufReader> events_of(const std::filesystem::path& file) {
  const auto bytes = TemporaryFolder::read(file);
  const std::string content(bytes.begin(), bytes.end());
  std::string_view rest(content);
  const auto take = [&](std::size_t size) {
    if (size > rest.size()) throw std::out_of_range("the last record is incomplete");
    const auto front = rest.substr(0, size);
    rest.remove_prefix(size);
    return front;
  };
  const auto expect_check = [&](std::string_view checked) {
    std::uint32_t masked = 0;
    std::memcpy(&masked, take(4).data(), 4);
    EXPECT_EQ(std::rotl(masked - 0xA282EAD8U, 15), crc32c(std::as_bytes(std::span(checked))));
  };
  std::vector<ProtobufReader> events;
  while (!rest.empty()) {
    const auto length = take(8);
    expect_check(length);
    std::uint64_t size = 0;
    std::memcpy(&size, length.data(), 8);
    const auto event = take(size);
    expect_check(event);
    events.emplace_back(event);
  }
  return events;
}

TEST(EventFile, BeginsWithItsVersion) {
  const TemporaryFolder folder;
  const EventFile file(folder.path(), 1600000000.75);
  EXPECT_EQ(file.path(), folder.path() / "events.out.tfevents.1600000000.tersegrad");
  const auto events = events_of(file.path());
  ASSERT_EQ(events.size(), 1U);
  EXPECT_THAT(events[0].doubles(1), ElementsAre(1600000000.75));
  EXPECT_EQ(events[0].text(3), "brain.Event:2");
}

TEST(EventFile, HoldsScalars) {
  const TemporaryFolder folder;
  EventFile file(folder.path(), 0);
  file.scalar("train/loss", 300, 2.5, 0.125F);
  file.scalar("train/loss", 301, 3.5, kNan);
  file.finish();
  const auto events = events_of(file.path());
  ASSERT_EQ(events.size(), 3U);
  EXPECT_THAT(events[1].doubles(1), ElementsAre(2.5));
  EXPECT_EQ(events[1].integer(2), 300);
  const auto value = events[1].message(5).message(1);
  EXPECT_EQ(value.text(1), "train/loss");
  EXPECT_THAT(value.floats(2), ElementsAre(0.125F));
  EXPECT_TRUE(std::isnan(events[2].message(5).message(1).floats(2).at(0)));
}

ProtobufReader histogram_of(std::span<const float> values) {
  const TemporaryFolder folder;
  EventFile file(folder.path(), 0);
  file.histogram("gradient", 1, 2, values);
  const auto value = events_of(file.path()).at(1).message(5).message(1);
  EXPECT_EQ(value.text(1), "gradient");
  return value.message(5);
}

double number(const ProtobufReader& message, int field) {
  return message.doubles(field).at(0);
}

TEST(EventFile, HoldsHistograms) {
  const std::vector<float> values = {-2, 0.5F, 0.5F, kNan, 0, kInfinity, -kInfinity, 3e38F};
  const auto histogram = histogram_of(values);
  EXPECT_EQ(number(histogram, 1), -2);
  EXPECT_EQ(number(histogram, 2), 3e38F);
  EXPECT_EQ(number(histogram, 3), 5);
  EXPECT_EQ(number(histogram, 4), -2 + 0.5 + 0.5 + double{3e38F});
  EXPECT_EQ(number(histogram, 5), 4 + 0.25 + 0.25 + double{3e38F} * double{3e38F});
  const auto limits = histogram.packed_doubles(6), counts = histogram.packed_doubles(7);
  EXPECT_THAT(counts, ElementsAre(0, 1, 0, 1, 0, 2, 0, 1));
  ASSERT_EQ(limits.size(), counts.size());
  // [limits[i - 1], limits[i]) contains the values of bucket i, and is narrow.
  EXPECT_TRUE(limits[0] <= -2 && -2 < limits[1]);
  EXPECT_NEAR(limits[0] / limits[1], 1.1, 1e-9);
  EXPECT_EQ(limits[2], 0);
  EXPECT_EQ(limits[3], 1e-12);
  EXPECT_TRUE(limits[4] <= 0.5 && 0.5 < limits[5]);
  EXPECT_NEAR(limits[5] / limits[4], 1.1, 1e-9);
  EXPECT_NEAR(limits[6] / 1e20, 1, 0.1);
  EXPECT_EQ(limits[7], std::numeric_limits<double>::max());
}

TEST(EventFile, CountsEveryValueBetweenTheLimitsOfItsBucket) {
  std::vector<float> values;
  for (int i = -2000; i <= 2000; ++i) values.push_back(std::pow(1.01F, static_cast<float>(i)));
  for (std::size_t i = 0; i < values.size(); i += 2) values[i] = -values[i];
  const auto histogram = histogram_of(values);
  const auto limits = histogram.packed_doubles(6), counts = histogram.packed_doubles(7);
  ASSERT_EQ(limits.size(), counts.size());
  for (std::size_t i = 0; i < limits.size(); ++i) {
    const double below = i == 0 ? -std::numeric_limits<double>::infinity() : limits[i - 1];
    EXPECT_LT(below, limits[i]);
    const auto inside = [&](float value) { return below <= value && value < limits[i]; };
    EXPECT_EQ(std::ranges::count_if(values, inside), counts[i]) << "up to " << limits[i];
  }
  EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), 0.0), 4001);
  EXPECT_GT(counts.back(), 0);
}

TEST(EventFile, AHistogramOfNoFiniteValueIsEmpty) {
  const std::vector<float> values = {kNan, kInfinity};
  for (const auto& histogram : {histogram_of({}), histogram_of(values)}) {
    for (const int field : {1, 2, 3, 4, 5}) EXPECT_EQ(number(histogram, field), 0);
    EXPECT_THAT(histogram.packed_doubles(6), ElementsAre(std::numeric_limits<double>::max()));
    EXPECT_THAT(histogram.packed_doubles(7), ElementsAre(0));
  }
}

TEST(EventFile, IsContinued) {
  const TemporaryFolder folder;
  for (int run = 0; run < 2; ++run) EventFile(folder.path(), 5.5).scalar("a", run, 6, 1);
  const auto events = events_of(folder.path() / "events.out.tfevents.5.tersegrad");
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[2].text(3), "brain.Event:2");
  EXPECT_EQ(events[3].integer(2), 1);
}

TEST(EventFile, OfAFolderThatDoesNotExistIsAnError) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of<Error>([&] { EventFile(folder.path() / "none", 0); }),
              HasSubstr("events.out.tfevents.0.tersegrad': cannot be written: No such"));
}

}  // namespace
}  // namespace terse
