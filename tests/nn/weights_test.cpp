// Weights go to safetensors files and come back; a wrong file changes nothing.
#include "tersegrad/nn/weights.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/core/safetensors.hpp"
#include "tersegrad/nn/language_model.hpp"
#include "tersegrad/nn/layers.hpp"
#include "tersegrad/nn/models.hpp"
#include "tests/data/files.hpp"

namespace terse::nn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr ImageTask kImages{.channels = 3, .height = 32, .width = 32, .classes = 10};

std::vector<std::vector<real>> values(Module& model) {
  std::vector<std::vector<real>> all;
  for (const auto& list : {parameters(model), buffers(model)}) {
    for (const auto& [name, tensor] : list) {
      all.emplace_back(tensor.data().begin(), tensor.data().end());
    }
  }
  return all;
}

std::unique_ptr<Layer> model_of(const std::string& spec, std::uint64_t seed) {
  Init init(seed);
  return make_model(spec, kImages, init);
}

std::string error_of(Module& model, const std::filesystem::path& file) {
  const auto before = values(model);
  try {
    load(model, file);
  } catch (const Error& error) {
    EXPECT_EQ(values(model), before) << "a refused file changed the model";
    return error.what();
  }
  return "none";
}

TEST(Weights, ComeBackToTheBit) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "weights.safetensors";
  for (const auto* spec : {"lenet", "resnet20", "mlp"}) {
    const auto model = model_of(spec, 1), other = model_of(spec, 2);
    for (auto& [name, buffer] : buffers(*model)) buffer.data_mut()[0] = 0.25F;
    save(*model, file);
    EXPECT_NE(values(*other), values(*model));
    const auto difference = load(*other, file);
    EXPECT_EQ(values(*other), values(*model)) << spec;
    EXPECT_THAT(difference.missing, IsEmpty());
    EXPECT_THAT(difference.unexpected, IsEmpty());
  }
  Init one(1), two(2);
  LanguageModel model({.vocabulary = 9, .embedding = 6, .hidden = 6}, one);
  LanguageModel other({.vocabulary = 9, .embedding = 6, .hidden = 6}, two);
  save(model, file);
  load(other, file);
  EXPECT_EQ(values(other), values(model));
}

TEST(Weights, HaveTheNamesAndShapesOfPyTorch) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "weights.safetensors";
  Init init(1);
  Sequential model;
  model.add<Conv2d>(Conv2dOptions{.in = 3, .out = 2, .kernel = 5}, init)
      .add<BatchNorm2d>(BatchNorm2dOptions{.channels = 2}, init);
  save(model, file);
  const auto bytes = read_file(file);
  const Safetensors stored("file", bytes);
  std::vector<std::string> names;
  for (const auto& [name, array] : stored.arrays()) names.push_back(name);
  EXPECT_THAT(names, ElementsAre("0.bias", "0.weight", "1.bias", "1.num_batches_tracked",
                                 "1.running_mean", "1.running_var", "1.weight"));
  EXPECT_THAT(stored.arrays().at("0.weight").shape, ElementsAre(2, 3, 5, 5));
  EXPECT_EQ(stored.arrays().at("0.weight").type, "F32");
  EXPECT_EQ(stored.arrays().at("1.num_batches_tracked").type, "I64");
  EXPECT_THAT(stored.arrays().at("1.num_batches_tracked").shape, IsEmpty());
}

// The tied weight of a language model has two names in PyTorch's state_dict. A file may have both,
// if they agree, or either of them.
TEST(Weights, ATiedWeightHasTwoNames) {
  const auto make = [](std::uint64_t seed) {
    Init init(seed);
    return make_language_model("lstm:layers=1,hidden=4,embedding=4", 6, init);
  };
  const TemporaryFolder folder;
  const auto file = folder.path() / "tied.safetensors";
  auto model = make(1);
  save(*model, file);
  const auto bytes = read_file(file);
  const Safetensors stored("tied", bytes);
  ASSERT_TRUE(stored.arrays().contains("encoder.weight"));
  ASSERT_TRUE(stored.arrays().contains("decoder.weight"));
  for (const char* left_out : {"", "encoder.weight", "decoder.weight"}) {
    std::vector<ArrayToWrite> arrays;
    for (const auto& [name, array] : stored.arrays()) {
      if (name != left_out) arrays.push_back({name, array.type, array.shape, array.data});
    }
    write_file(file, [&](std::ostream& out) { write_safetensors(out, arrays); });
    auto other = make(2);
    load(*other, file);
    EXPECT_EQ(values(*other), values(*model)) << left_out;
  }
  std::vector<ArrayToWrite> arrays;
  const std::vector<float> zeros(24);
  for (const auto& [name, array] : stored.arrays()) {
    const auto data = name == "decoder.weight" ? std::as_bytes(std::span(zeros)) : array.data;
    arrays.push_back({name, array.type, array.shape, data});
  }
  write_file(file, [&](std::ostream& out) { write_safetensors(out, arrays); });
  EXPECT_THROW(load(*model, file), Error);
}

TEST(Weights, NamesThatDifferAreListed) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "weights.safetensors";
  save(*model_of("mlp:layers=0", 1), file);
  Init init(3);
  Sequential narrow;
  narrow.add<Flatten>().add<Linear>(LinearOptions{.in = 7, .out = 10}, init);
  EXPECT_THAT(error_of(narrow, file),
              HasSubstr("array 1.weight: expected shape (10, 7); got (10, 3072)"));
  Sequential shifted;
  shifted.add<ReLU>().add<ReLU>().add<Linear>(LinearOptions{.in = 3072, .out = 10}, init);
  EXPECT_EQ(error_of(shifted, file),
            fmt::format("'{}': expected the names of the model's tensors; missing: 2.weight, "
                        "2.bias; unexpected: 1.bias, 1.weight",
                        file.string()));
  const auto difference = load(shifted, file, NameCheck::lenient);
  EXPECT_THAT(difference.missing, ElementsAre("2.weight", "2.bias"));
  EXPECT_THAT(difference.unexpected, ElementsAre("1.bias", "1.weight"));
}

TEST(Weights, DoublesAreConvertedAndOtherTypesAreAnError) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "weights.safetensors";
  Init init(1);
  Linear model({.in = 1, .out = 1}, init);
  const double two = 2;
  const std::int64_t whole = 2;
  const auto write = [&](const char* type, std::span<const std::byte> data) {
    const std::vector<ArrayToWrite> arrays{{"weight", type, {1, 1}, data},
                                           {"bias", type, {1}, data}};
    write_file(file, [&](std::ostream& out) { write_safetensors(out, arrays); });
  };
  write("F64", std::as_bytes(std::span(&two, 1)));
  load(model, file);
  EXPECT_EQ(model.weight.tensor().item(), 2);
  write("I64", std::as_bytes(std::span(&whole, 1)));
  EXPECT_THAT(error_of(model, file), HasSubstr("array weight: expected type F32 or F64; got I64"));
}

TEST(Weights, AFileThatCannotBeReadOrIsDamagedIsAnError) {
  const TemporaryFolder folder;
  const auto model = model_of("mlp:layers=0", 1);
  EXPECT_THAT(error_of(*model, folder.path() / "none"),
              HasSubstr("none': cannot be read: No such"));
  EXPECT_THAT(error_of(*model, folder.path()), HasSubstr("expected a file; got a folder"));
  EXPECT_THAT(error_of(*model, "/dev/zero"), HasSubstr("expected a regular file; got a pipe or a"));
  const auto file = folder.path() / "weights.safetensors";
  save(*model, file);
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1);
  EXPECT_THAT(error_of(*model, file), HasSubstr("weights.safetensors'"));
  EXPECT_THROW(save(*model, folder.path() / "no" / "folder"), Error);
}

}  // namespace
}  // namespace terse::nn
