// One picture from a file: PNG, JPEG, and what else stb_image reads (BMP, GIF, PSD, TGA, PNM).
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace terse {

// C×size×size: the square in the middle, as large as the picture allows, made `size` pixels wide.
// One channel is grey, and three are red, green and blue; a picture of the other kind is converted,
// and transparency is ignored. What cannot be decoded is an Error. Thread-safe.
std::vector<std::uint8_t> read_image(const std::filesystem::path& file, std::int64_t channels,
                                     std::int64_t size);

}  // namespace terse
