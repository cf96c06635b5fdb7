// Arrays in NumPy's .npy format are written and read back.
#include "tersegrad/core/npy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tests/data/files.hpp"

namespace terse {
namespace {

using testing::HasSubstr;

class Npy : public testing::Test {
 protected:
  std::string write(const std::vector<std::int64_t>& shape, const std::vector<float>& values) {
    write_npy(
        file(),
        {.name = "a", .type = "F32", .shape = shape, .data = std::as_bytes(std::span(values))});
    const auto bytes = read_file(file());
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  // The error for a file with this text.
  std::string error(const std::string& text) {
    write_file(file(), text);
    try {
      read_npy(file());
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }
  std::filesystem::path file() const { return folder_.path() / "a.npy"; }

  TemporaryFolder folder_;
};

TEST_F(Npy, ReadsWhatItHasWritten) {
  for (const auto& shape :
       std::vector<std::vector<std::int64_t>>{{2, 3}, {6}, {1, 6, 1}, {3, 1, 2}}) {
    const std::vector<float> values = {1, -2, 0.5F, 3e-30F, 5, 6};
    const auto text = write(shape, values);
    EXPECT_EQ((text.size() - 24) % 64, 0U);
    const auto array = read_npy(file());
    EXPECT_EQ(array.shape, shape);
    EXPECT_EQ(array.values, values);
  }
  write({}, {7});  // a single value without dimensions
  EXPECT_EQ(read_npy(file()).values, std::vector<float>{7});
  write({0, 3}, {});
  EXPECT_EQ(read_npy(file()).shape, (std::vector<std::int64_t>{0, 3}));
}

TEST_F(Npy, WrongFilesAreClearErrors) {
  const auto good = write({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(error(good), "");
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_THAT(error(good.substr(0, size)), HasSubstr("a.npy': expected")) << size;
  }
  EXPECT_THAT(error(good + "more"), HasSubstr("its shape (2, 3) states; got 28 bytes"));
  auto other = good;
  other.replace(other.find("(2, 3, )"), 8, "(2, 3)  ");  // as NumPy writes it
  EXPECT_EQ(error(other), "");
  other.replace(other.find("<f4"), 3, "<f8");
  EXPECT_THAT(error(other), HasSubstr("expected float32 values in C order"));
  other = good;
  other.replace(other.find("False"), 5, "True ");
  EXPECT_THAT(error(other), HasSubstr("expected float32 values in C order"));
  other = good;
  other.replace(other.find("(2, 3"), 5, "(9, 9");
  EXPECT_THAT(error(other), HasSubstr("its shape (9, 9) states; got 24 bytes"));
}

}  // namespace
}  // namespace terse
