#include "tersegrad/inspect/tensorboard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tersegrad/core/crc.hpp"

namespace terse {
namespace {

template <class Unsigned>
std::string_view bytes_of(const Unsigned& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::uint32_t masked_check(std::string_view bytes) {
  return std::rotr(crc32c(std::as_bytes(std::span(bytes))), 15) + 0xA282EAD8U;
}

ProtobufMessage event(double wall_time) {
  return ProtobufMessage().float64(1, wall_time);
}

// The upper limits of all buckets, ascending. A value belongs to the first bucket with a limit
// above it.
const std::vector<double>& bucket_limits() {
  static const std::vector<double> limits = [] {
    std::vector<double> all;
    for (double limit = 1e-12; limit < 1e20; limit *= 1.1) all.push_back(limit);
    all.push_back(std::numeric_limits<double>::max());
    const std::vector<double> positive = all;
    all.push_back(0);
    for (const double limit : positive) all.push_back(-limit);
    std::ranges::sort(all);
    return all;
  }();
  return limits;
}

// HistogramProto. Of neighbouring empty buckets only the last one is written, and none after the
// last value: the one before the first value is its lower limit.
ProtobufMessage histogram_message(std::span<const float> values) {
  const auto& all_limits = bucket_limits();
  std::vector<double> all_counts(all_limits.size());
  double least = std::numeric_limits<double>::infinity(), most = -least;
  double count = 0, sum = 0, squares = 0;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    const auto bucket = std::ranges::upper_bound(all_limits, value) - all_limits.begin();
    ++all_counts[static_cast<std::size_t>(bucket)];
    least = std::min(least, value);
    most = std::max(most, value);
    ++count;
    sum += value;
    squares += value * value;
  }
  if (count == 0) least = most = 0;

  std::vector<double> limits, counts;
  double written = 0;
  for (std::size_t i = 0; i < all_counts.size() && written < count; ++i) {
    if (all_counts[i] == 0 && all_counts[i + 1] == 0) continue;
    limits.push_back(all_limits[i]);
    counts.push_back(all_counts[i]);
    written += all_counts[i];
  }
  if (limits.empty()) {  // readers expect at least one bucket
    limits.push_back(all_limits.back());
    counts.push_back(0);
  }
  return ProtobufMessage()
      .float64(1, least)
      .float64(2, most)
      .float64(3, count)
      .float64(4, sum)
      .float64(5, squares)
      .packed(6, limits)
      .packed(7, counts);
}

}  // namespace

EventFile::EventFile(const std::filesystem::path& folder, double wall_time)
    : path_(folder / fmt::format("events.out.tfevents.{:.0f}.tersegrad", std::floor(wall_time))),
      file_(path_, LineFile::Existing::keep) {
  add(event(wall_time).text(3, "brain.Event:2"));
}

void EventFile::scalar(std::string_view tag, std::int64_t step, double wall_time, float value) {
  add_value(step, wall_time, ProtobufMessage().text(1, tag).float32(2, value));
}

void EventFile::histogram(std::string_view tag, std::int64_t step, double wall_time,
                          std::span<const float> values) {
  add_value(step, wall_time, ProtobufMessage().text(1, tag).message(5, histogram_message(values)));
}

void EventFile::add_value(std::int64_t step, double wall_time, const ProtobufMessage& value) {
  add(event(wall_time).integer(2, step).message(5, ProtobufMessage().message(1, value)));
}

void EventFile::add(const ProtobufMessage& event) {
  const std::string& bytes = event.encoded();
  const std::uint64_t length = bytes.size();
  std::string record(bytes_of(length));
  record += bytes_of(masked_check(record));
  record += bytes;
  record += bytes_of(masked_check(bytes));
  file_.add_record(record);
}

}  // namespace terse
