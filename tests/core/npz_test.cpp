// Archives of arrays have the structure of zip archives and of .npy files.
#include "tersegrad/core/npz.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <zlib.h>

#include <cstring>
#include <map>
#include <string>

#include "tersegrad/core/crc.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tests/data/files.hpp"

namespace terse {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST(Crc, HasThePublishedCheckValues) {
  EXPECT_EQ(crc32(bytes_of("123456789")), 0xCBF43926U);
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xE3069283U);
  EXPECT_EQ(crc32c(bytes_of(std::string(32, '\xff'))), 0x62A8AB43U);  // RFC 3720, B.4
  EXPECT_EQ(crc32({}), 0U);
}

TEST(Crc, OfTwoPartsIsThatOfTheWhole) {
  const std::string text = "a message in two parts";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const auto whole = bytes_of(text);
    EXPECT_EQ(crc32c(whole.subspan(cut), crc32c(whole.first(cut))), crc32c(whole));
  }
}

// The members of a zip archive by name. Checks everything that the two headers of a member state.
std::map<std::string, std::string> members_of(const std::filesystem::path& file) {
  const auto bytes = TemporaryFolder::read(file);
  const std::string zip(bytes.begin(), bytes.end());
  const auto number = [&](std::size_t at, std::size_t size) {
    std::uint32_t value = 0;
    std::memcpy(&value, zip.substr(at, size).data(), size);
    return value;
  };
  const std::size_t end = zip.size() - 22;
  EXPECT_EQ(zip.substr(end, 4), "PK\5\6");
  EXPECT_EQ(number(end + 8, 2), number(end + 10, 2));
  std::size_t entry = number(end + 16, 4);
  EXPECT_EQ(entry + number(end + 12, 4), end);

  std::map<std::string, std::string> members;
  std::size_t expected_begin = 0;
  for (auto left = number(end + 10, 2); left > 0; --left) {
    EXPECT_EQ(zip.substr(entry, 4), "PK\1\2");
    EXPECT_EQ(number(entry + 10, 2), 0U) << "expected no compression";
    const std::size_t size = number(entry + 24, 4), name_size = number(entry + 28, 2);
    const std::size_t begin = number(entry + 42, 4);
    EXPECT_EQ(number(entry + 20, 4), size);
    EXPECT_EQ(begin, expected_begin);
    EXPECT_EQ(zip.substr(begin, 4), "PK\3\4");
    EXPECT_EQ(zip.substr(begin + 4, 26), zip.substr(entry + 6, 26)) << "headers differ";
    const auto name = zip.substr(entry + 46, name_size);
    EXPECT_EQ(zip.substr(begin + 30, name_size), name);
    const auto content = zip.substr(begin + 30 + name_size, size);
    EXPECT_EQ(number(entry + 16, 4), ::crc32(0, reinterpret_cast<const Bytef*>(content.data()),
                                             static_cast<uInt>(content.size())))
        << name;
    members[name] = content;
    expected_begin = begin + 30 + name_size + size;
    entry += 46 + name_size;
  }
  EXPECT_EQ(entry, end);
  return members;
}

TEST(Npz, HoldsTheArrays) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "arrays.npz";
  const std::vector<float> matrix = {1, 2, 3, 4, 5, 6};
  const std::vector<std::int64_t> one = {-7};
  write_npz(file, std::vector<ArrayToWrite>{
                      {"conv1.weight", "F32", {2, 3}, std::as_bytes(std::span(matrix))},
                      {"step", "I64", {}, std::as_bytes(std::span(one))},
                      {"empty", "U8", {0}, {}}});
  const auto members = members_of(file);
  ASSERT_EQ(members.size(), 3U);
  const auto& npy = members.at("conv1.weight.npy");
  const std::string header = npy.substr(0, npy.size() - 24);
  EXPECT_EQ(header.size() % 64, 0U);
  EXPECT_THAT(header, StartsWith(std::string("\x93NUMPY\x01\x00", 8)));
  EXPECT_EQ(static_cast<unsigned char>(header[8]) + 256 * header[9] + 10, std::ssize(header));
  EXPECT_THAT(header.substr(10),
              StartsWith("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, ), }"));
  EXPECT_THAT(header, EndsWith("\n"));
  std::vector<float> read(6);
  std::memcpy(read.data(), npy.data() + header.size(), 24);
  EXPECT_EQ(read, matrix);
  EXPECT_THAT(members.at("step.npy"), HasSubstr("'<i8', 'fortran_order': False, 'shape': (), }"));
  EXPECT_THAT(members.at("step.npy"), EndsWith("\n\xf9\xff\xff\xff\xff\xff\xff\xff"));
  EXPECT_THAT(members.at("empty.npy"), HasSubstr("'|u1', 'fortran_order': False, 'shape': (0, )"));
}

TEST(Npz, OfNoArraysIsAnArchive) {
  const TemporaryFolder folder;
  write_npz(folder.path() / "none.npz", {});
  EXPECT_TRUE(members_of(folder.path() / "none.npz").empty());
}

TEST(Npz, WhatDoesNotFitIsAnErrorAndLeavesNoFile) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "arrays.npz";
  const auto error = [&](const ArrayToWrite& array) {
    return error_of<Error>([&] { write_npz(file, std::vector{array}); });
  };
  const std::vector<float> two = {1, 2};
  const auto data = std::as_bytes(std::span(two));
  EXPECT_THAT(error({"a", "BF16", {4}, data}),
              HasSubstr("arrays.npz': array a: expected a type that NumPy has; got BF16"));
  EXPECT_THAT(error({"a", "F32", {3}, data}), HasSubstr("array a: expected 12 bytes"));
  EXPECT_THAT(error({std::string(65532, 'x'), "F32", {2}, data}), HasSubstr("got one of 65532 b"));

  // An address range that is never read.
  constexpr std::size_t kBytes = (std::size_t{4} << 30) - 1;
  auto* range =
      mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(range, MAP_FAILED);
  EXPECT_THAT(error({"a", "U8", {kBytes}, {static_cast<const std::byte*>(range), kBytes}}),
              HasSubstr("expected less than 4 GiB, the limit of .npz files; got 42949"));
  munmap(range, kBytes);
  EXPECT_THAT(error_of<Error>([&] { write_npz(file, std::vector<ArrayToWrite>(65535)); }),
              HasSubstr("expected at most 65534 arrays; got 65535"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace terse
