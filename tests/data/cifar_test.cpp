#include "tersegrad/data/cifar.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tersegrad/core/error.hpp"
#include "tersegrad/data/datasets.hpp"
#include "tests/data/files.hpp"

namespace terse {
namespace {

// `count` records: record n has the label (first + n) mod 10 and the pixels n, n + 1, n + 2, …
Bytes records(int count, int first) {
  Bytes bytes;
  for (int n = 0; n < count; ++n) {
    bytes.push_back(static_cast<std::uint8_t>((first + n) % 10));
    for (int i = 0; i < 3072; ++i) bytes.push_back(static_cast<std::uint8_t>(n + i));
  }
  return bytes;
}

// A small CIFAR-10 with 5 × 4 training images and 3 test images. Two files are compressed.
void write_cifar(const TemporaryFolder& folder, const std::string& inner = "") {
  for (int i = 1; i <= 5; ++i) {
    const auto name = inner + "data_batch_" + std::to_string(i) + ".bin";
    if (i == 2) {
      folder.write_gz(name + ".gz", records(4, i));
    } else {
      folder.write(name, records(4, i));
    }
  }
  folder.write_gz(inner + "test_batch.bin.gz", records(3, 0));
}

std::string load_error(const TemporaryFolder& folder) {
  return error_of<Error>([&] { load_dataset("cifar10:" + folder.path().string(), 1); });
}

TEST(Cifar10, BatchesAreReadPlainAndCompressed) {
  const TemporaryFolder folder;
  write_cifar(folder);
  const auto [train, test, valid] = load_dataset("cifar10:path=" + folder.path().string(), 1);
  EXPECT_EQ(train.name, "cifar10");
  EXPECT_EQ(train.classes, 10);
  EXPECT_EQ(train.channels, 3);
  EXPECT_EQ(train.height, 32);
  EXPECT_EQ(train.size(), 20);
  EXPECT_EQ(test.size(), 3);
  for (int n = 0; n < 20; ++n) {
    EXPECT_EQ(train.labels[n], (n / 4 + 1 + n % 4) % 10);
    EXPECT_EQ(train.sample(n)[0], n % 4);
    EXPECT_EQ(train.sample(n)[3071], (n % 4 + 3071) % 256);
  }
  EXPECT_FLOAT_EQ(train.statistics.mean[2], 0.4465F);
  EXPECT_FLOAT_EQ(test.statistics.stddev[0], 0.2470F);
}

TEST(Cifar10, FolderMayBeTheOneThatTheArchiveLiesIn) {
  const TemporaryFolder folder;
  write_cifar(folder, "cifar-10-batches-bin/");
  const auto data = load_dataset("cifar10:" + folder.path().string() + ",train=7,test=2", 1);
  EXPECT_EQ(data.train.size(), 7);
  EXPECT_EQ(data.test.size(), 2);
}

TEST(Cifar10, MissingFolderOrFileIsNamed) {
  expect_has(error_of<UsageError>([] { load_dataset("cifar10", 1); }),
             {"cifar10:path=DIR", "data_batch_1.bin", "test_batch.bin", "binary version"});
  expect_has(error_of<Error>([] { load_dataset("cifar10:/nowhere", 1); }),
             {"no such directory: '/nowhere'"});
  const TemporaryFolder folder;
  write_cifar(folder);
  std::filesystem::remove(folder.path() / "data_batch_3.bin");
  expect_has(load_error(folder),
             {"missing file", (folder.path() / "data_batch_3.bin").string(), ".gz"});
}

TEST(Cifar10, TruncatedFileTellsWhatIsThere) {
  const TemporaryFolder folder;
  write_cifar(folder);
  auto bytes = records(4, 0);
  bytes.resize(bytes.size() - 73);
  const auto file = folder.write("data_batch_5.bin", bytes).string();
  expect_has(load_error(folder),
             {file, "truncated", "records of 3073 bytes", "got 3 records and 3000 bytes"});
  folder.write("data_batch_5.bin", Bytes());
  expect_has(load_error(folder), {file, "got 0 records and 0 bytes"});
  folder.write("data_batch_5.bin", records(3, 0));
  expect_has(load_error(folder), {file, "as many records as the first", "got 3 and 4"});
}

TEST(Cifar10, GzipStreamThatBreaksOffOrIsCorruptIsAnError) {
  const TemporaryFolder folder;
  write_cifar(folder);
  const auto whole = TemporaryFolder::read(folder.path() / "test_batch.bin.gz");
  folder.write("test_batch.bin.gz", Bytes(whole.begin(), whole.end() - 20));
  expect_has(load_error(folder), {"test_batch.bin.gz", "breaks off"});
  auto corrupt = whole;
  corrupt[corrupt.size() - 8] ^= 1;
  folder.write("test_batch.bin.gz", corrupt);
  expect_has(load_error(folder), {"test_batch.bin.gz", "corrupt", "incorrect data check"});
}

TEST(Cifar10, LabelOutOfRangeIsNamed) {
  const TemporaryFolder folder;
  write_cifar(folder);
  auto bytes = records(4, 0);
  bytes[2 * 3073] = 10;
  const auto file = folder.write("data_batch_4.bin", bytes).string();
  expect_has(load_error(folder), {file, "sample 2", "from 0 to 9", "got 10"});
}

}  // namespace
}  // namespace terse
