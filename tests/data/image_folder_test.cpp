#include "tersegrad/data/image_folder.hpp"

#include <gtest/gtest.h>

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#include <stb/stb_image_write.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "tersegrad/core/error.hpp"
#include "tersegrad/data/datasets.hpp"
#include "tersegrad/data/image_file.hpp"
#include "tests/data/files.hpp"

namespace terse {
namespace {

namespace fs = std::filesystem;

struct Colour {
  int red, green, blue;
};

// Writes a picture of one colour, (height, width, 3): JPEG if the name ends in .jpg, otherwise PNG.
void write_picture(const fs::path& file, const Colour& colour, int height = 8, int width = 8) {
  fs::create_directories(file.parent_path());
  Bytes pixels;
  for (int i = 0; i < height * width; ++i) {
    for (const int value : {colour.red, colour.green, colour.blue}) {
      pixels.push_back(static_cast<std::uint8_t>(value));
    }
  }
  const auto done = file.extension() == ".jpg"
                        ? stbi_write_jpg(file.c_str(), width, height, 3, pixels.data(), 95)
                        : stbi_write_png(file.c_str(), width, height, 3, pixels.data(), 0);
  ASSERT_NE(done, 0);
}

// Writes two classes: `cat` with `cats` PNG files of grey value n, and `dog` with `dogs` JPEG files
// of grey value 100 + n.
void write_classes(const fs::path& folder, int cats, int dogs) {
  for (int n = 0; n < cats; ++n) {
    write_picture(folder / "cat" / ("c" + std::to_string(100 + n) + ".png"), {n, n, n});
  }
  for (int n = 0; n < dogs; ++n) {
    write_picture(folder / "dog" / ("d" + std::to_string(100 + n) + ".jpg"),
                  {100 + n, 100 + n, 100 + n});
  }
}

std::string load_error(const TemporaryFolder& folder, const std::string& options = "") {
  return error_of<Error>([&] { load_dataset("images:" + folder.path().string() + options, 1); });
}

TEST(ImageFile, PngComesBackExactlyInPlanes) {
  const TemporaryFolder folder;
  Bytes pixels;  // 4×4×3
  for (int i = 0; i < 48; ++i) pixels.push_back(static_cast<std::uint8_t>(5 * i));
  const auto file = folder.path() / "a.png";
  ASSERT_NE(stbi_write_png(file.c_str(), 4, 4, 3, pixels.data(), 0), 0);
  const auto planes = read_image(file, 3, 4);
  ASSERT_EQ(planes.size(), 48U);
  for (std::size_t i = 0; i < 16; ++i) {
    for (std::size_t c = 0; c < 3; ++c) EXPECT_EQ(planes[c * 16 + i], pixels[i * 3 + c]);
  }
}

TEST(ImageFile, GreyIsRepeatedAndColourMadeGrey) {
  const TemporaryFolder folder;
  const Bytes grey(16, 77);
  ASSERT_NE(stbi_write_png((folder.path() / "g.png").c_str(), 4, 4, 1, grey.data(), 0), 0);
  EXPECT_EQ(read_image(folder.path() / "g.png", 3, 4), Bytes(48, 77));
  EXPECT_EQ(read_image(folder.path() / "g.png", 1, 4), grey);
  write_picture(folder.path() / "c.png", {200, 200, 200});
  EXPECT_EQ(read_image(folder.path() / "c.png", 1, 8), Bytes(64, 200));
}

TEST(ImageFile, JpegIsReadToWithinItsLoss) {
  const TemporaryFolder folder;
  write_picture(folder.path() / "a.jpg", {200, 100, 50}, 16, 16);
  const auto planes = read_image(folder.path() / "a.jpg", 3, 8);
  for (std::size_t i = 0; i < 64; ++i) {
    EXPECT_NEAR(planes[i], 200, 4);
    EXPECT_NEAR(planes[64 + i], 100, 4);
    EXPECT_NEAR(planes[128 + i], 50, 4);
  }
}

TEST(ImageFile, SquareInTheMiddleIsWhatRemains) {
  const TemporaryFolder folder;
  // A 4×12 picture with a white square of 4×4 in the middle and black on both sides, and the same
  // picture turned by 90 degrees.
  Bytes wide(48, 0), high(48, 0);
  for (std::size_t y = 0; y < 4; ++y) {
    for (std::size_t x = 4; x < 8; ++x) wide[y * 12 + x] = high[x * 4 + y] = 255;
  }
  ASSERT_NE(stbi_write_png((folder.path() / "w.png").c_str(), 12, 4, 1, wide.data(), 0), 0);
  ASSERT_NE(stbi_write_png((folder.path() / "h.png").c_str(), 4, 12, 1, high.data(), 0), 0);
  for (const std::int64_t size : {2, 4, 9}) {
    const Bytes white(static_cast<std::size_t>(size * size), 255);
    EXPECT_EQ(read_image(folder.path() / "w.png", 1, size), white);
    EXPECT_EQ(read_image(folder.path() / "h.png", 1, size), white);
  }
}

TEST(ImageFile, BrokenFilesAreErrorsThatNameThem) {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& name) {
    return error_of<Error>([&] { read_image(folder.path() / name, 3, 8); });
  };
  folder.write_text("notes.png", "this is no picture");
  expect_has(error("notes.png"),
             {(folder.path() / "notes.png").string(), "not a picture", "unknown image type"});
  folder.write_text("empty.png", "");
  expect_has(error("empty.png"), {"empty.png", "not a picture"});
  expect_has(error("none.png"), {"none.png", "No such file"});

  write_picture(folder.path() / "whole.png", {1, 2, 3}, 64, 64);
  auto png = TemporaryFolder::read(folder.path() / "whole.png");
  folder.write("cut.png", Bytes(png.begin(), png.begin() + std::ssize(png) / 2));
  expect_has(error("cut.png"), {"cut.png", "not a picture"});
  for (auto byte = png.begin() + 60; byte < png.begin() + 80; ++byte) *byte ^= 0x5A;
  folder.write("corrupt.png", png);
  expect_has(error("corrupt.png"), {"corrupt.png", "not a picture"});
}

TEST(ImageFolder, ClassesAreTheFoldersInOrderOfTheirNames) {
  const TemporaryFolder folder;
  write_classes(folder.path(), 20, 10);
  folder.write_text("README", "files beside the folders are passed over");
  folder.write_text("cat/.hidden", "so are those with a dot");
  const auto [train, test, valid] =
      load_dataset("images:path=" + folder.path().string() + ",size=8", 1);
  EXPECT_EQ(train.name, "images");
  EXPECT_EQ(train.classes, 2);
  EXPECT_EQ(train.channels, 3);
  EXPECT_EQ(train.height, 8);
  EXPECT_EQ(train.width, 8);
  EXPECT_EQ(train.size(), 27);
  EXPECT_EQ(test.size(), 3);
  EXPECT_EQ(std::count(test.labels.begin(), test.labels.end(), 0), 2);
  for (const auto* split : {&train, &test}) {
    for (std::int64_t n = 0; n < split->size(); ++n) {
      EXPECT_EQ(split->sample(n)[0] >= 90, split->labels[n] == 1);
    }
  }
  EXPECT_EQ(test.statistics.mean, train.statistics.mean);
}

TEST(ImageFolder, HeldOutPicturesAreThoseThatTheSeedNames) {
  const TemporaryFolder folder;
  write_classes(folder.path(), 40, 2);
  const auto held = [&](std::uint64_t seed) {
    const auto data =
        load_dataset("images:" + folder.path().string() + ",size=8,channels=1,test=0.2", seed);
    std::vector<int> values;
    for (std::int64_t n = 0; n < data.test.size(); ++n) {
      if (data.test.labels[n] == 0) values.push_back(data.test.sample(n)[0]);
    }
    return values;
  };
  const auto first = held(1);
  ASSERT_EQ(first.size(), 8U);
  for (std::size_t i = 1; i < 8; ++i) EXPECT_EQ(first[i], first[i - 1] + 5) << "every fifth";
  EXPECT_EQ(held(1), first);
  bool differs = false;
  for (std::uint64_t seed = 2; seed < 10; ++seed) differs |= held(seed) != first;
  EXPECT_TRUE(differs);
}

TEST(ImageFolder, TrainAndTestAreTheSplitsIfTheyAreThere) {
  const TemporaryFolder folder;
  write_classes(folder.path() / "train", 5, 3);
  write_classes(folder.path() / "test", 1, 2);
  const auto [train, test, valid] = load_dataset("images:" + folder.path().string() + ",size=8", 1);
  EXPECT_EQ(train.labels, (std::vector<std::int32_t>{0, 0, 0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(test.labels, (std::vector<std::int32_t>{0, 1, 1}));
  EXPECT_EQ(train.sample(4)[0], 4);
  write_picture(folder.path() / "test" / "eel" / "e.png", {1, 2, 3});
  expect_has(load_error(folder), {"the same classes", "got cat, dog and cat, dog, eel"});
}

TEST(ImageFolder, MissingOrEmptyFoldersAreErrors) {
  const TemporaryFolder folder;
  expect_has(error_of<UsageError>([] { load_dataset("images", 1); }), {"images:path=DIR"});
  expect_has(error_of<Error>([] { load_dataset("images:/nowhere", 1); }),
             {"no such directory: '/nowhere'"});
  expect_has(load_error(folder), {folder.path().string(), "a folder for each class", "got none"});
  write_classes(folder.path(), 3, 1);
  fs::create_directories(folder.path() / "bird");
  expect_has(load_error(folder),
             {(folder.path() / "bird").string(), "expected a picture in each class folder"});
}

TEST(ImageFolder, FileThatIsNoPictureIsNamed) {
  const TemporaryFolder folder;
  write_classes(folder.path(), 30, 30);
  folder.write_text("cat/notes.png", "not a picture at all");
  expect_has(load_error(folder), {(folder.path() / "cat/notes.png").string(), "not a picture"});
}

TEST(ImageFolder, FilesThatAreNoPicturesByTheirNamesAreSkipped) {
  const TemporaryFolder folder;
  write_classes(folder.path(), 3, 3);
  folder.write_text("cat/Thumbs.db", "not a picture at all");
  folder.write_text("dog/notes.txt", "neither");
  const auto data = load_dataset("images:" + folder.path().string() + ",size=8", 1);
  EXPECT_EQ(data.train.size() + data.test.size(), 6);
  ASSERT_EQ(data.train.notes.size(), 1U);
  expect_has(data.train.notes[0], {"2 files", "skipped", "cat/Thumbs.db"});
}

// Classes of 3 and of 100 pictures. Holding out every k-th picture would hold out a third for 0.3,
// 0.35 and 0.4 alike.
TEST(ImageFolder, TheShareOfEveryClassIsHeldOut) {
  const TemporaryFolder folder;
  write_classes(folder.path(), 3, 100);
  const auto held = [&](const char* share) {
    const auto data = load_dataset("images:" + folder.path().string() + ",size=8,test=" + share, 1);
    const auto cats = std::ranges::count(data.test.labels, 0);
    return std::pair(cats, data.test.size() - cats);
  };
  EXPECT_EQ(held("0.1"), (std::pair<std::int64_t, std::int64_t>(1, 10)));
  EXPECT_EQ(held("0.3"), (std::pair<std::int64_t, std::int64_t>(1, 30)));
  EXPECT_EQ(held("0.35"), (std::pair<std::int64_t, std::int64_t>(1, 35)));
  EXPECT_EQ(held("0.4"), (std::pair<std::int64_t, std::int64_t>(1, 40)));
  EXPECT_EQ(held("0.5"), (std::pair<std::int64_t, std::int64_t>(2, 50)));
}

TEST(ImageFolder, AClassOfOneIsForTraining) {
  const TemporaryFolder folder;
  write_classes(folder.path(), 4, 1);
  const auto data = load_dataset("images:" + folder.path().string() + ",size=8", 1);
  EXPECT_EQ(std::ranges::count(data.train.labels, 1), 1);
  EXPECT_EQ(std::ranges::count(data.test.labels, 1), 0);
  ASSERT_EQ(data.train.notes.size(), 1U);
  expect_has(data.train.notes[0], {"class 'dog'", "one picture", "training"});
}

TEST(ImageFolder, ValStandsForTest) {
  const TemporaryFolder folder;
  write_classes(folder.path() / "train", 5, 3);
  write_classes(folder.path() / "val", 1, 2);
  const auto data = load_dataset("images:" + folder.path().string() + ",size=8", 1);
  EXPECT_EQ(data.test.labels, (std::vector<std::int32_t>{0, 1, 1}));
}

TEST(ImageFolder, WrongOptionsAreUsageErrors) {
  const auto error = [](const std::string& options) {
    return error_of<UsageError>([&] { load_dataset("images:path=x" + options, 1); });
  };
  expect_has(error(",size=2"), {"size", "from 4 to 4096", "'2'"});
  expect_has(error(",channels=2"), {"channels", "1, 3", "'2'"});
  expect_has(error(",test=0"), {"test", "from 0.001 to 0.5", "'0'"});
  expect_has(error(",sise=2"), {"did you mean size?"});
}

}  // namespace
}  // namespace terse
