// One picture from a file: JPEG (by libjpeg), PNG, BMP or GIF (by stb_image).
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace terse {

// C×size×size: the square in the middle, as large as the picture allows, made `size` pixels wide.
// One channel is grey, and three are red, green and blue; a picture of the other kind is converted,
// and transparency is ignored. EXIF's orientation is applied. A file that does not hold all of its
// pixels is an Error that names it; a missing end marker is none. Thread-safe.
std::vector<std::uint8_t> read_image(const std::filesystem::path& file, std::int64_t channels,
                                     std::int64_t size);

}  // namespace terse
