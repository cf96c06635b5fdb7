// A decoded picture, the JPEG decoder, and checks that an image file is complete.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace terse {

struct Picture {
  std::vector<std::uint8_t> pixels;  // (height, width, channels)
  int height = 0, width = 0, channels = 0;
};

// Limits of the pictures that are read: pixels per side and in total.
inline constexpr int kLongestSide = 32768;
inline constexpr std::int64_t kMostPixels = std::int64_t{1} << 28;

// Decodes a JPEG file with libjpeg and applies its EXIF orientation. `channels` is 1 (grey) or 3
// (RGB). Throws Error with the reason if the file is corrupt or a scan or rows are missing; a
// missing end marker is accepted.
Picture decode_jpeg(std::string_view file, int channels);

// The orientation in the Exif segment of a JPEG file, 1 to 8; 1 if there is none or the segment is
// broken. Source: Exif 2.3, section 4.6.4, tag 0x0112 of the first directory.
int exif_orientation(std::string_view segment);
// Rotates and mirrors a picture from its stored orientation (1 to 8) to the upright one.
Picture oriented(Picture picture, int orientation);

// stb_image decodes the other formats. It reads missing data at the end of a BMP or GIF file as
// zeros, so these functions check the file first. They throw Error if data of the first picture
// are missing.
void check_bmp_is_whole(std::string_view file);
void check_gif_is_whole(std::string_view file);

}  // namespace terse
