// Event files, from which TensorBoard draws scalars and histograms over the steps of a run.
//
//   file      records; the first is an event with the version "brain.Event:2"
//   record    u64 length, u32 check of the length, the event, u32 check of the event
//   check     rotate_right(CRC-32C, 15) + 0xA282EAD8
//   event     a message of Protocol Buffers: time, step, and a summary with one value
//
// The files of a folder and its subfolders are found by `tensorboard --logdir FOLDER`.
// Sources: tensorflow/core/util/event.proto, framework/summary.proto, lib/io/record_writer.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "tersegrad/core/files.hpp"
#include "tersegrad/core/protobuf.hpp"

namespace terse {

// A wall time is in seconds since 1970. Each event is appended by one write, so that a file
// contains only complete events after a crash. Functions throw Error with the file's name if
// writing fails.
class EventFile {
 public:
  // Opens FOLDER/events.out.tfevents.SECONDS.tersegrad, or continues it if it exists. The folder
  // must exist.
  EventFile(const std::filesystem::path& folder, double wall_time);

  void scalar(std::string_view tag, std::int64_t step, double wall_time, float value);
  // Counts the values that are finite, in TensorFlow's buckets: their limits are 0, ±1e-12 · 1.1^k
  // up to 1e20, and ± the largest double. Takes 70 ns a value.
  void histogram(std::string_view tag, std::int64_t step, double wall_time,
                 std::span<const float> values);
  // Waits until all events are on disk, and closes the file. Throws Error if that fails.
  void finish() { file_.finish(); }

  const std::filesystem::path& path() const { return path_; }

 private:
  void add(const ProtobufMessage& event);
  void add_value(std::int64_t step, double wall_time, const ProtobufMessage& value);

  std::filesystem::path path_;
  LineFile file_;
};

}  // namespace terse
