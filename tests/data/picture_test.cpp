// Pictures that are cut off at every byte: decoding gives an Error or the original pixels, never
// other pixels.
#include "tersegrad/data/picture.hpp"

#include <cstddef>
#include <cstdio>  // must precede jpeglib.h, like <cstddef>
#include <cstdlib>
//
#include <gtest/gtest.h>
#include <jpeglib.h>
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#include <stb/stb_image_write.h>

#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tersegrad/core/error.hpp"
#include "tersegrad/data/image_file.hpp"
#include "tests/data/files.hpp"

namespace terse {
namespace {

constexpr int kHeight = 40, kWidth = 24;

// A gradient with a bright corner at the upper left, so that all parts and sides differ, of shape
// (40, 24, 3).
Bytes pixels_of_test() {
  Bytes pixels;
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      const bool corner = y < 8 && x < 8;
      for (const int value : {corner ? 250 : 5 * y, corner ? 250 : 8 * x, corner ? 250 : 40}) {
        pixels.push_back(static_cast<std::uint8_t>(value));
      }
    }
  }
  return pixels;
}

enum class Scans { one, one_a_component, progressive };

// A JPEG of the test pixels. `segment`, unless empty, becomes the APP1 segment.
Bytes jpeg_of_test(Scans scans, const std::string& segment = "", int restart = 0) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long bytes = 0;
  jpeg_mem_dest(&info, &memory, &bytes);
  info.image_width = kWidth;
  info.image_height = kHeight;
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 95, TRUE);
  info.restart_interval = static_cast<unsigned>(restart);
  std::array<jpeg_scan_info, 3> separate{};
  for (int c = 0; c < 3; ++c) {
    separate[static_cast<std::size_t>(c)] = {1, {c, 0, 0, 0}, 0, 63, 0, 0};
  }
  if (scans == Scans::progressive) jpeg_simple_progression(&info);
  if (scans == Scans::one_a_component) {
    info.scan_info = separate.data();
    info.num_scans = 3;
  }
  jpeg_start_compress(&info, TRUE);
  if (!segment.empty()) {
    jpeg_write_marker(&info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(segment.data()),
                      static_cast<unsigned>(segment.size()));
  }
  auto pixels = pixels_of_test();
  for (std::ptrdiff_t y = 0; y < kHeight; ++y) {
    JSAMPROW row = pixels.data() + y * kWidth * 3;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  Bytes file(memory, memory + bytes);
  std::free(memory);
  return file;
}

// An Exif segment with this orientation, in either byte order.
std::string exif(int orientation, bool big_endian) {
  const auto two = [&](int n) {
    const char high = static_cast<char>(n >> 8), low = static_cast<char>(n);
    return big_endian ? std::string{high, low} : std::string{low, high};
  };
  const auto four = [&](int n) { return big_endian ? two(0) + two(n) : two(n) + two(0); };
  return std::string("Exif\0\0", 6) + (big_endian ? "MM" : "II") + two(42) + four(8) + two(2) +
         two(0x010F) + two(2) + four(1) + four(0) + two(0x0112) + two(3) + four(1) +
         two(orientation) + two(0) + four(0);
}

// The LZW compression of GIF, for 7-bit pixels: the longest known string extended by one pixel
// becomes a new string.
Bytes lzw(const Bytes& pixels) {
  constexpr std::uint32_t kClear = 128, kEnd = 129;
  Bytes packed;
  std::uint32_t bits = 0, waiting = 0, code_bits = 8;
  const auto put = [&](std::uint32_t code) {
    bits |= code << waiting;
    for (waiting += code_bits; waiting >= 8; waiting -= 8, bits >>= 8) {
      packed.push_back(static_cast<std::uint8_t>(bits));
    }
  };
  std::map<Bytes, std::uint32_t> codes;
  const auto clear = [&] {
    put(kClear);
    codes.clear();
    for (std::uint32_t shade = 0; shade < kClear; ++shade) {
      codes[{static_cast<std::uint8_t>(shade)}] = shade;
    }
    code_bits = 8;
  };
  clear();
  Bytes known;
  for (const auto pixel : pixels) {
    Bytes longer = known;
    longer.push_back(pixel);
    if (codes.contains(longer)) {
      known = longer;
      continue;
    }
    put(codes[known]);
    const auto next = static_cast<std::uint32_t>(codes.size()) + 2;
    codes[longer] = next;
    if (next == 1U << code_bits) ++code_bits;
    if (next == 700) clear();  // earlier than necessary, so that a clear code occurs
    known = {pixel};
  }
  put(codes[known]);
  put(kEnd);
  if (waiting > 0) packed.push_back(static_cast<std::uint8_t>(bits));
  return packed;
}

// A GIF of 40x24 pixels with up to 128 shades. The last `cut` bytes of its code are left out.
Bytes gif_of_test(const Bytes& shades, std::size_t cut = 0) {
  Bytes file = {'G', 'I', 'F', '8', '9', 'a', kWidth, 0, kHeight, 0, 0xF6, 0, 0};
  for (int shade = 0; shade < 128; ++shade) {
    for (int c = 0; c < 3; ++c) file.push_back(static_cast<std::uint8_t>(2 * shade));
  }
  const Bytes extension = {0x21, 0xF9, 4, 0, 0, 0, 0, 0};
  file.insert(file.end(), extension.begin(), extension.end());
  const Bytes image = {0x2C, 0, 0, 0, 0, kWidth, 0, kHeight, 0, 0, 7};
  file.insert(file.end(), image.begin(), image.end());
  auto codes = lzw(shades);
  codes.resize(codes.size() - cut);
  for (std::size_t at = 0; at < codes.size(); at += 100) {
    const auto n = std::min<std::size_t>(100, codes.size() - at);
    file.push_back(static_cast<std::uint8_t>(n));
    file.insert(file.end(), codes.begin() + static_cast<std::ptrdiff_t>(at),
                codes.begin() + static_cast<std::ptrdiff_t>(at + n));
  }
  file.push_back(0);
  file.push_back(0x3B);
  return file;
}

// Shades with many repeated strings, and shades with few.
std::vector<Bytes> shades_of_test() {
  Bytes stripes, noise;
  std::uint32_t random = 1;
  for (int i = 0; i < kHeight * kWidth; ++i) {
    stripes.push_back(static_cast<std::uint8_t>(i % kWidth / 8 * 50));
    random = random * 1664525 + 1013904223;
    noise.push_back(static_cast<std::uint8_t>(random >> 25));
  }
  return {stripes, noise};
}

Bytes written_by(const std::function<int(stbi_write_func*, void*)>& write) {
  Bytes file;
  write(
      [](void* to, void* data, int size) {
        const auto* bytes = static_cast<std::uint8_t*>(data);
        static_cast<Bytes*>(to)->insert(static_cast<Bytes*>(to)->end(), bytes, bytes + size);
      },
      &file);
  return file;
}

class CutPictures : public testing::Test {
 protected:
  // Cuts the file after every number of bytes. Returns the length of the shortest prefix that can
  // be read.
  std::size_t shortest_read(const std::string& name, const Bytes& file) {
    folder_.write(name, file);
    const auto whole = read_image(folder_.path() / name, 3, 16);
    std::size_t shortest = file.size();
    for (std::size_t bytes = 0; bytes < file.size(); ++bytes) {
      folder_.write("cut-" + name,
                    Bytes(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(bytes)));
      try {
        EXPECT_EQ(read_image(folder_.path() / ("cut-" + name), 3, 16), whole)
            << name << " cut to " << bytes << " of " << file.size();
        shortest = std::min(shortest, bytes);
      } catch (const Error& e) {
        expect_has(e.what(), {"cut-" + name});
        EXPECT_EQ(shortest, file.size()) << "shorter ones were read";
      }
    }
    return shortest;
  }

  TemporaryFolder folder_;
};

TEST_F(CutPictures, Jpeg) {
  for (const auto scans : {Scans::one, Scans::one_a_component, Scans::progressive}) {
    for (const int restart : {0, 2}) {
      const auto file = jpeg_of_test(scans, "", restart);
      // Only the end marker may be missing.
      EXPECT_GE(shortest_read("a.jpg", file), file.size() - 3) << static_cast<int>(scans);
    }
  }
}

TEST_F(CutPictures, Png) {
  const auto pixels = pixels_of_test();
  shortest_read("a.png", written_by([&](auto* write, void* to) {
                  return stbi_write_png_to_func(write, to, kWidth, kHeight, 3, pixels.data(), 0);
                }));
}

TEST_F(CutPictures, Bmp) {
  const auto pixels = pixels_of_test();
  const auto file = written_by([&](auto* write, void* to) {
    return stbi_write_bmp_to_func(write, to, kWidth, kHeight, 3, pixels.data());
  });
  EXPECT_EQ(shortest_read("a.bmp", file), file.size());
}

TEST_F(CutPictures, Gif) {
  for (const auto& shades : shades_of_test()) {
    const auto file = gif_of_test(shades);
    EXPECT_EQ(shortest_read("a.gif", file), file.size() - 1) << "the end marker may be missing";
  }
}

TEST(Gif, IsReadIfEveryPixelIsThere) {
  const TemporaryFolder folder;
  for (const auto& shades : shades_of_test()) {
    folder.write("a.gif", gif_of_test(shades));
    Bytes square;  // the square in the middle: (1, 24, 24)
    for (int i = 8 * kWidth; i < 32 * kWidth; ++i) {
      square.push_back(static_cast<std::uint8_t>(2 * shades[static_cast<std::size_t>(i)]));
    }
    EXPECT_EQ(read_image(folder.path() / "a.gif", 1, kWidth), square);
    // All blocks are complete, but the code in them lacks its end code and the last pixels.
    for (const std::size_t cut : {3, 20}) {
      folder.write("cut.gif", gif_of_test(shades, cut));
      expect_has(error_of<Error>([&] { read_image(folder.path() / "cut.gif", 1, kWidth); }),
                 {"cut.gif", "part of the pixels is missing"});
    }
  }
}

TEST(Jpeg, WithoutAScanIsRefused) {
  auto file = jpeg_of_test(Scans::one);
  const auto scan = std::string(file.begin(), file.end()).find("\xFF\xDA");
  file.resize(scan);
  file.push_back(0xFF);
  file.push_back(0xD9);
  const TemporaryFolder folder;
  folder.write("a.jpg", file);
  expect_has(error_of<Error>([&] { read_image(folder.path() / "a.jpg", 3, 16); }),
             {"a.jpg", "not a picture", "remove the file or replace it"});
}

TEST(Jpeg, IsOrientedAsExifSays) {
  // By orientation, whether the bright corner is at the top, and whether it is at the left.
  constexpr std::array<std::pair<bool, bool>, 8> kCorners = {{{true, true},
                                                              {true, false},
                                                              {false, false},
                                                              {false, true},
                                                              {true, true},
                                                              {true, false},
                                                              {false, false},
                                                              {false, true}}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    for (const bool big_endian : {false, true}) {
      const auto file = jpeg_of_test(Scans::one, exif(orientation, big_endian));
      const auto picture =
          decode_jpeg({reinterpret_cast<const char*>(file.data()), file.size()}, 3);
      EXPECT_EQ(picture.height, orientation < 5 ? kHeight : kWidth);
      EXPECT_EQ(picture.width, orientation < 5 ? kWidth : kHeight);
      const auto [top, left] = kCorners[static_cast<std::size_t>(orientation - 1)];
      const int y = top ? 2 : picture.height - 3, x = left ? 2 : picture.width - 3;
      EXPECT_NEAR(picture.pixels[static_cast<std::size_t>((y * picture.width + x) * 3 + 2)], 250,
                  20)
          << orientation;
    }
  }
  EXPECT_EQ(exif_orientation("no Exif"), 1);
  EXPECT_EQ(exif_orientation(exif(9, true)), 1);
  const auto whole = exif(6, true);
  for (std::size_t bytes = 0; bytes < whole.size() - 4; ++bytes) {
    exif_orientation(std::string_view(whole).substr(0, bytes));  // may return any value
  }
}

}  // namespace
}  // namespace terse
