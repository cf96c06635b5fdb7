// Reads an image file: JPEG (with libjpeg), PNG, BMP or GIF (with stb_image).
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace terse {

// Returns pixels of shape (channels, size, size): the largest centred square of the picture,
// resized to size x size. `channels` is 1 (grey) or 3 (RGB); pictures are converted, and
// transparency is ignored. The EXIF orientation of JPEG files is applied. Throws Error with the
// file's name if it cannot be decoded or pixels are missing; a missing end marker is accepted.
// Thread-safe.
std::vector<std::uint8_t> read_image(const std::filesystem::path& file, std::int64_t channels,
                                     std::int64_t size);

}  // namespace terse
