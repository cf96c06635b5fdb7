// Tests of archives and of the safetensors format in which they are saved.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/core/safetensors.hpp"

namespace terse {
namespace {

struct State {
  std::uint64_t step = 0;
  std::vector<float> residual;
  void serialize(Archive& archive) {
    archive.item("step", step);
    archive.item("residual", residual);
  }
  std::uint64_t hash() {
    HashArchive archive;
    serialize(archive);
    return archive.hash();
  }
};

std::vector<std::byte> saved(State state) {
  return safetensors_of([&](Archive& archive) { state.serialize(archive); });
}

State loaded(std::span<const std::byte> bytes) {
  State state;
  load_safetensors("saved", bytes, [&](Archive& archive) { state.serialize(archive); });
  return state;
}

std::string error_of(std::span<const std::byte> bytes) {
  try {
    loaded(bytes);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

// A file with this header and data.
std::vector<std::byte> file_of(std::string_view header, std::string_view data = "") {
  const std::uint64_t length = header.size();
  std::vector<std::byte> bytes(sizeof length);
  std::memcpy(bytes.data(), &length, sizeof length);
  for (const auto text : {header, data}) {
    for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
  }
  return bytes;
}

TEST(Archive, LoadsWhatWasSaved) {
  State state{7, {1, 2, 3}};
  State again = loaded(saved(state));
  EXPECT_EQ(again.step, 7U);
  EXPECT_EQ(again.residual, state.residual);
  EXPECT_EQ(again.hash(), state.hash());
  EXPECT_TRUE(loaded(saved({})).residual.empty());
}

TEST(Archive, NamesAreUniqueAndScoped) {
  State a{1, {1}}, b{2, {2}}, c{3, {}};
  const auto serialize = [&](Archive& archive) {
    a.serialize(archive);
    b.serialize(archive);
    const auto scope = archive.scope("worker.3");
    c.serialize(archive);
  };
  const auto bytes = safetensors_of(serialize);
  const Safetensors file("saved", bytes);
  std::vector<std::string> names;
  for (const auto& [name, array] : file.arrays()) names.push_back(name);
  EXPECT_THAT(names, testing::UnorderedElementsAre("step", "residual", "step#2", "residual#2",
                                                   "worker.3/step", "worker.3/residual"));
  a = b = c = {};
  load_safetensors("saved", bytes, serialize);
  EXPECT_EQ(a.step + 10 * b.step + 100 * c.step, 321U);
  EXPECT_EQ(b.residual, std::vector<float>{2});
}

TEST(Archive, TypesAndEmptyBuffersComeBack) {
  double x = -0.1;
  std::int64_t i = -5;
  std::vector<std::uint32_t> ids{4, 0xffffffff};
  Buffer<float> none;
  const auto serialize = [&](Archive& archive) {
    archive.item("x", x);
    archive.item("i", i);
    archive.item("ids", ids);
    archive.item("none", none);
  };
  const auto bytes = safetensors_of(serialize);
  x = 0, i = 0, ids = {}, none = Buffer<float>(3);
  load_safetensors("saved", bytes, serialize);
  EXPECT_EQ(x, -0.1);
  EXPECT_EQ(i, -5);
  EXPECT_EQ(ids, (std::vector<std::uint32_t>{4, 0xffffffff}));
  EXPECT_TRUE(none.span().empty());
}

TEST(Archive, TheHashSeesEveryBit) {
  State a{7, {1, 2, 3}}, b{7, {1, 2, -3}}, c{8, {1, 2, 3}}, d{7, {1, 2}};
  EXPECT_NE(a.hash(), b.hash());
  EXPECT_NE(a.hash(), c.hash());
  EXPECT_NE(a.hash(), d.hash());
  State zero{0, {0.0F}}, minus_zero{0, {-0.0F}};
  EXPECT_NE(zero.hash(), minus_zero.hash());
}

TEST(Archive, ATruncatedFileIsAnError) {
  const auto bytes = saved({7, {1, 2, 3}});
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_THROW(loaded(std::span(bytes).first(n)), Error) << n;
  }
}

TEST(Archive, ErrorsNameTheFileAndTheItem) {
  const auto wrong = [](auto serialize) { return error_of(safetensors_of(serialize)); };
  std::uint64_t step = 1;
  double real = 1;
  std::vector<float> values(2);
  EXPECT_EQ(wrong([&](Archive& a) { a.item("step", step); }), "saved: expected an item residual");
  EXPECT_EQ(wrong([&](Archive& a) { a.item("step", real); }),
            "saved: item step: expected type U64; got F64");
  EXPECT_EQ(wrong([&](Archive& a) { a.item("step", values); }),
            "saved: item step: expected type U64; got F32");
  EXPECT_EQ(wrong([&](Archive& a) {
              std::vector<std::uint64_t> two(2);
              a.item("step", two);
            }),
            "saved: item step: expected 1 values; got 2");
  EXPECT_EQ(wrong([&](Archive& a) {
              State().serialize(a);
              a.item("more", values);
            }),
            "saved: expected no item more");
}

// A length in a header must not make the reader allocate memory that the file does not have.
TEST(Safetensors, AnArrayBeyondTheFileIsAnError) {
  for (const auto* const header :
       {R"({"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}})",
        R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})",
        R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})",
        R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F7","shape":[1],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})", R"({"a":[]})", "[]", "{", ""}) {
    const auto bytes = file_of(header, "1234");
    EXPECT_THROW(Safetensors("file", bytes), Error) << header;
  }
  const auto two = file_of(
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})",
      "1234");
  EXPECT_THROW(Safetensors("file", two), Error) << "overlapping arrays";
  auto endless = file_of("{}");
  std::memset(endless.data(), 0xff, 8);
  EXPECT_THROW(Safetensors("file", endless), Error);
}

TEST(Safetensors, ReadsWhatOtherProgramsWrite) {
  const auto bytes = file_of(
      R"({"__metadata__":{"format":"pt"},"half":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]}}   )",
      "1234");
  const Safetensors file("file", bytes);
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_EQ(file.arrays().at("half").shape, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(file.arrays().at("half").data.size(), 4U);
}

TEST(Safetensors, DamagedBytesAreAnErrorOrAValidLoad) {
  const auto bytes = saved({7, {1, 2, 3}});
  Philox random(1, {.purpose = Purpose::synthetic});
  for (int i = 0; i < 20'000; ++i) {
    auto damaged = bytes;
    for (int k = 0; k <= i % 3; ++k) {
      damaged[random.below(damaged.size())] = static_cast<std::byte>(random.below(256));
    }
    try {
      loaded(damaged);
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace terse
