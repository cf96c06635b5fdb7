// A decoded picture, and what is read of a file before its pixels are believed.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace terse {

struct Picture {
  std::vector<std::uint8_t> pixels;  // (height, width, channels)
  int height = 0, width = 0, channels = 0;
};

// The longest side and the most pixels of a picture that is read.
inline constexpr int kLongestSide = 32768;
inline constexpr std::int64_t kMostPixels = std::int64_t{1} << 28;

// libjpeg decodes JPEG files. Error, with the reason, if a scan or rows are missing; a missing end
// marker is no reason. EXIF's orientation is applied. `channels`: 1 (grey) or 3 (red, green, blue).
Picture decode_jpeg(std::string_view file, int channels);

// The orientation in the Exif segment of a JPEG file, 1 to 8; 1 if it says none. (Exif 2.3, 4.6.4:
// the tag 0x0112 of the first directory.)
int exif_orientation(std::string_view segment);
// The picture as its orientation says that it is to be seen.
Picture oriented(Picture picture, int orientation);

// stb_image decodes the other formats, and takes what is missing at the end of a BMP or GIF file
// for zeros. Error if data of the first picture are missing.
void check_bmp_is_whole(std::string_view file);
void check_gif_is_whole(std::string_view file);

}  // namespace terse
