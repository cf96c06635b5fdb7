// The recorded steps in a run folder, which `train --record` writes and `whatif` reads:
//
//   records/records.json                                what is recorded; see the structures below
//   records/step-S/worker-W/TENSOR.npy                  the gradient that enters the pipeline
//   records/step-S/worker-W/packet.phase-P.bin          the packet that worker W encodes, sealed
//   records/step-S/worker-W/packet.phase-P.bucket-B.bin the same if the gradient is cut in buckets
//
// S is the number of steps before the step. W is the worker's rank at the start of the run. With
// topology async S counts the worker's own gradients. The step of LocalSgd that averages the models
// has the differences of models in place of gradients. records.json names a step after all its
// files are complete.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tersegrad/core/npy.hpp"

namespace terse::run {

inline constexpr int kRecordFormat = 1;

struct RecordedTensor {
  std::string name, file;
  std::uint32_t id = 0;  // its position in the model
  std::vector<std::int64_t> shape = {};
  std::int64_t rows = 0, cols = 0, kernel = 1;  // as compressors see it
  std::int64_t first = 0;                       // its first coordinate in the model
  std::int64_t numel() const { return rows * cols; }
};

struct RecordedPacket {
  std::string file;
  int phase = 0;
  std::int64_t first = 0, count = 0;  // the coordinates of its bucket
};

struct RecordedWorker {
  int worker = 0;  // its number in the folder's name
  int rank = 0;    // among the workers that are left: Round::worker of its draws
  float lr = 0;    // Round::lr
};

struct RecordedStep {
  std::int64_t step = 0;
  std::uint64_t round = 0;   // Round::step, which the draws depend on
  bool differences = false;  // of models, in place of gradients
  std::vector<RecordedPacket> packets = {};
  std::vector<RecordedWorker> workers = {};  // ascending
};

struct Records {
  std::string compressor, topology;
  std::uint64_t seed = 0;
  std::int64_t workers = 0;  // at the start
  std::int64_t values = 0;   // of the whole model
  bool packets = true;
  std::vector<RecordedTensor> tensors = {};
  std::vector<RecordedStep> steps = {};  // ascending
};

std::filesystem::path records_file(const std::filesystem::path& run);
std::filesystem::path recorded_folder(const std::filesystem::path& run, std::int64_t step,
                                      int worker);
// `bucket` is -1 if the gradient is not cut.
std::string packet_file(int phase, int bucket);

// records.json without its steps, and with them.
nlohmann::json header_json(const Records& records);
nlohmann::json to_json(const Records& records);
// Reads records.json. Throws Error with the file if there is none, or it cannot be used.
Records read_records(const std::filesystem::path& run);

// The recorded values of a tensor. Throws Error with the file if it is missing or cut, has another
// shape, or a value is infinite or NaN.
std::vector<float> read_recorded(const std::filesystem::path& run, const RecordedStep& step,
                                 int worker, const RecordedTensor& tensor);

}  // namespace terse::run
