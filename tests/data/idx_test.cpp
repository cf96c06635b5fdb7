#include "tersegrad/data/idx.hpp"

#include <gtest/gtest.h>

#include "tersegrad/core/error.hpp"
#include "tests/data/idx_files.hpp"

namespace terse {
namespace {

std::string read_error(const std::filesystem::path& file, std::int64_t dimensions) {
  return error_of<Error>([&] { read_idx(file, dimensions); });
}

TEST(Idx, PlainAndGzipFilesReadTheSame) {
  const TemporaryFolder folder;
  const auto bytes = idx_bytes({3, 4, 5}, 60);
  const auto plain = read_idx(folder.write("plain", bytes), 3);
  const auto compressed = read_idx(folder.write_gz("compressed.gz", bytes), 3);
  EXPECT_EQ(plain.shape, (std::vector<std::int64_t>{3, 4, 5}));
  ASSERT_EQ(plain.values.size(), 60U);
  for (std::size_t i = 0; i < 60; ++i) EXPECT_EQ(plain.values[i], i);
  EXPECT_EQ(compressed.shape, plain.shape);
  EXPECT_EQ(compressed.values, plain.values);
}

TEST(Idx, FilesOfSeveralBlocksReadWhole) {
  const TemporaryFolder folder;
  const std::size_t count = 5U * 1000 * 700;
  const auto array = read_idx(folder.write_gz("big.gz", idx_bytes({5, 1000, 700}, count)), 3);
  ASSERT_EQ(array.values.size(), count);
  for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(array.values[i], i % 256);
}

TEST(Idx, SizesAreBigEndian) {
  const TemporaryFolder folder;
  EXPECT_EQ(read_idx(folder.write("a", idx_bytes({0x10203}, 0x10203)), 1).shape[0], 0x10203);
}

TEST(Idx, MissingFileIsNamed) {
  expect_has(read_error("/nowhere/train-images-idx3-ubyte", 3),
             {"'/nowhere/train-images-idx3-ubyte'", "No such file"});
}

TEST(Idx, DirectoryIsAnError) {
  const TemporaryFolder folder;
  expect_has(read_error(folder.path(), 3), {folder.path().string(), "directory"});
}

TEST(Idx, AnotherFormatIsAnError) {
  const TemporaryFolder folder;
  const auto file = folder.write("picture", {0x89, 'P', 'N', 'G', 1, 2, 3});
  expect_has(read_error(file, 3), {file.string(), "not an IDX file", "got 89 50 4e 47"});
}

TEST(Idx, AnotherValueTypeIsAnError) {
  const TemporaryFolder folder;
  auto bytes = idx_bytes({2}, 8);
  bytes[2] = 0x0D;
  expect_has(read_error(folder.write("floats", bytes), 1), {"byte 2", "unsigned bytes", "0d"});
}

TEST(Idx, AnotherDimensionCountIsAnError) {
  const TemporaryFolder folder;
  const auto file = folder.write("labels", idx_bytes({4}, 4));
  expect_has(read_error(file, 3), {file.string(), "byte 3", "expected 3 dimensions; got 1"});
}

TEST(Idx, HeaderThatEndsEarlyIsAnError) {
  const TemporaryFolder folder;
  const auto bytes = idx_bytes({4, 5, 6}, 0);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto file = folder.write("cut", Bytes(bytes.begin(), bytes.begin() + size));
    expect_has(read_error(file, 3),
               {file.string(), "ends in the header, after " + std::to_string(size) + " bytes"});
  }
}

TEST(Idx, TruncatedFileTellsWhatIsThere) {
  const TemporaryFolder folder;
  const auto file = folder.write("cut", idx_bytes({60000, 28, 28}, 1234));
  expect_has(read_error(file, 3),
             {file.string(), "truncated", "60000x28x28 = 47040000 bytes", "got 1234"});
}

TEST(Idx, GzipStreamThatBreaksOffIsTruncated) {
  const TemporaryFolder folder;
  auto bytes = TemporaryFolder::read(folder.write_gz("whole.gz", idx_bytes({300, 300}, 90000)));
  const auto cut = [&](std::size_t size) {
    return folder.write("cut.gz", Bytes(bytes.begin(), bytes.begin() + size));
  };
  expect_has(read_error(cut(bytes.size() / 2), 2),
             {"truncated", "300x300 = 90000 bytes", "breaks off"});
  // All values are present, but the checksum is missing.
  expect_has(read_error(cut(bytes.size() - 4), 2), {"truncated", "breaks off"});
}

TEST(Idx, CorruptGzipIsAnError) {
  const TemporaryFolder folder;
  const auto bytes = TemporaryFolder::read(folder.write_gz("a.gz", idx_bytes({300, 300}, 90000)));
  auto middle = bytes;
  for (std::size_t i = bytes.size() / 2; i < bytes.size() / 2 + 20; ++i) middle[i] ^= 0x5A;
  auto file = folder.write("middle.gz", middle);
  expect_has(read_error(file, 2), {file.string(), "corrupt or unreadable after byte"});
  auto checksum = bytes;
  checksum[checksum.size() - 8] ^= 1;
  file = folder.write("checksum.gz", checksum);
  expect_has(read_error(file, 2), {file.string(), "corrupt", "incorrect data check"});
}

TEST(Idx, BytesAfterTheLastValueAreAnError) {
  const TemporaryFolder folder;
  const auto bytes = idx_bytes({4, 5}, 21);
  const auto file = folder.write("long", bytes);
  expect_has(read_error(file, 2), {file.string(), "too long", "4x5 = 20 bytes"});
  expect_has(read_error(folder.write_gz("long.gz", bytes), 2), {"long.gz", "too long"});
}

TEST(Idx, BrokenSizesAreAnErrorAndTakeNoMemory) {
  const TemporaryFolder folder;
  expect_has(read_error(folder.write("huge", idx_bytes({~0U, ~0U, ~0U}, 9)), 3),
             {"4294967295x4294967295x4294967295", "at most 1099511627776 bytes"});
  // A size of one terabyte is allowed, but the file is shorter.
  expect_has(read_error(folder.write("large", idx_bytes({1U << 20, 1U << 20}, 9)), 2),
             {"truncated", "got 9"});
  expect_has(read_error(folder.write("none", idx_bytes({0, 28}, 0)), 2), {"at least 1; got 0x28"});
}

}  // namespace
}  // namespace terse
