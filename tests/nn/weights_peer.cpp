// Exchanges weights with bench/peers/torch_weights.py by safetensors files.
//
//   weights_peer write FOLDER   writes models with random weights, inputs and logits
//   weights_peer run FOLDER     loads weights and inputs that PyTorch has written; writes logits,
//                               and the loaded weights once more
//
//   NAME.safetensors            the weights of a model
//   NAME.input.safetensors      "input": 10 images (10, c, h, w), or 10 texts of tokens (time, 10)
//   NAME.logits.safetensors     "logits" of the inputs: (10, classes) or (time, 10, vocabulary)
//   NAME.saved.safetensors      written by `run`: the weights as `save` writes them after `load`
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/core/safetensors.hpp"
#include "tersegrad/nn/models.hpp"
#include "tersegrad/nn/weights.hpp"
#include "tests/nn/random_models.hpp"

namespace terse::nn {
namespace {

constexpr std::int64_t kInputs = 10, kTime = 20, kVocabulary = 1000;

struct ImageModel {
  const char* name;
  ImageTask task;
};
constexpr ImageModel kImageModels[] = {
    {"lenet", {.channels = 1, .height = 28, .width = 28, .classes = 10}},
    {"resnet20", {.channels = 3, .height = 32, .width = 32, .classes = 10}},
};

struct TextModel {
  const char *name, *spec;
};
constexpr TextModel kTextModels[] = {
    {"lstm_tied", "lstm:layers=2,hidden=200,dropout=0.2"},
    {"lstm", "lstm:layers=2,hidden=200,embedding=120,tied=false,dropout=0.2"},
};

std::filesystem::path file_of(const std::filesystem::path& stem, const char* what) {
  return stem.string() + what + ".safetensors";
}

template <class Value>
void write_array(const std::filesystem::path& file, const char* name, const char* type,
                 const Shape& shape, std::span<const Value> values) {
  const std::vector<ArrayToWrite> arrays{
      {name, type, {shape.begin(), shape.end()}, std::as_bytes(values)}};
  write_file(file, [&](std::ostream& out) { write_safetensors(out, arrays); });
}

// The array "input" of the file. Throws Error if it is missing or has another type or shape.
template <class Value>
std::vector<Value> read_input(const std::filesystem::path& file, const char* type,
                              const Shape& shape) {
  const auto bytes = read_file(file);
  const Safetensors stored(fmt::format("'{}'", file.string()), bytes);
  const auto found = stored.arrays().find("input");
  check(found != stored.arrays().end(), "{}: expected an array 'input'", stored.name());
  const auto& array = found->second;
  check(array.type == type && std::ranges::equal(array.shape, shape),
        "{}: array input: expected type {} and shape ({}); got {} and ({})", stored.name(), type,
        fmt::join(shape, ", "), array.type, fmt::join(array.shape, ", "));
  std::vector<Value> values(array.data.size() / sizeof(Value));
  std::memcpy(values.data(), array.data.data(), array.data.size());
  return values;
}

void write_logits(const Tensor& logits, const std::filesystem::path& stem) {
  write_array(file_of(stem, ".logits"), "logits", "F32", logits.shape(), logits.data());
}

Shape input_shape(const ImageTask& task) {
  return {kInputs, task.channels, task.height, task.width};
}

void write_model(const ImageModel& m, const std::filesystem::path& stem) {
  Init init(1);
  Random random(1);
  const auto model = make_model(m.name, m.task, init);
  move_vectors(*model, random);
  const NoGrad no_grad;
  for (int step = 0; step < 5; ++step) {  // sets running statistics
    (*model)(random.normal({16, m.task.channels, m.task.height, m.task.width}, 0.3));
  }
  save(*model, file_of(stem, ""));

  model->eval();
  const Tensor x = random.normal(input_shape(m.task), 0.1);
  write_array(file_of(stem, ".input"), "input", "F32", x.shape(), x.data());
  write_logits((*model)(x), stem);
}

void write_model(const TextModel& m, const std::filesystem::path& stem) {
  Init init(1);
  Random random(2);
  const auto model = make_language_model(m.spec, kVocabulary, init);
  move_vectors(*model, random);
  save(*model, file_of(stem, ""));

  model->eval();
  const NoGrad no_grad;
  const auto ids = random.ids(kTime * kInputs, kVocabulary);
  const std::vector<std::int64_t> wide(ids.begin(), ids.end());
  write_array(file_of(stem, ".input"), "input", "I64", {kTime, kInputs}, std::span(wide));
  LstmStates states;
  write_logits(LanguageModelLogits(*model)(kTime, kInputs, ids, states), stem);
}

void run_model(const ImageModel& m, const std::filesystem::path& stem) {
  Init init(2);
  const auto model = make_model(m.name, m.task, init);
  load(*model, file_of(stem, ""));
  save(*model, file_of(stem, ".saved"));

  model->eval();
  const NoGrad no_grad;
  const auto shape = input_shape(m.task);
  const auto x = read_input<float>(file_of(stem, ".input"), "F32", shape);
  write_logits((*model)(Tensor::from(shape, x)), stem);
}

void run_model(const TextModel& m, const std::filesystem::path& stem) {
  Init init(2);
  const auto model = make_language_model(m.spec, kVocabulary, init);
  load(*model, file_of(stem, ""));
  save(*model, file_of(stem, ".saved"));

  model->eval();
  const NoGrad no_grad;
  std::vector<std::int32_t> ids;
  for (const auto id : read_input<std::int64_t>(file_of(stem, ".input"), "I64", {kTime, kInputs})) {
    check(id >= 0 && id < kVocabulary, "{}: expected ids below {}; got {}", m.name, kVocabulary,
          id);
    ids.push_back(static_cast<std::int32_t>(id));
  }
  LstmStates states;
  write_logits(LanguageModelLogits(*model)(kTime, kInputs, ids, states), stem);
}

void write_all(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  for (const auto& model : kImageModels) write_model(model, folder / model.name);
  for (const auto& model : kTextModels) write_model(model, folder / model.name);
}

void run_all(const std::filesystem::path& folder) {
  for (const auto& model : kImageModels) run_model(model, folder / model.name);
  for (const auto& model : kTextModels) run_model(model, folder / model.name);
}

}  // namespace
}  // namespace terse::nn

int main(int argc, char** argv) {
  const std::string_view command = argc == 3 ? argv[1] : "";
  try {
    if (command == "write") {
      terse::nn::write_all(argv[2]);
    } else if (command == "run") {
      terse::nn::run_all(argv[2]);
    } else {
      std::fputs("usage: weights_peer write|run FOLDER\n", stderr);
      return 2;
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "weights_peer: {}\n", error.what());
    return 1;
  }
}
