#include "data/image_file.hpp"

// The only translation unit that has stb's code.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_MAX_DIMENSIONS 32768
#include <stb/stb_image.h>
#define STB_IMAGE_RESIZE_IMPLEMENTATION
#define STB_IMAGE_RESIZE_STATIC
#include <stb/stb_image_resize.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "data/gz_reader.hpp"

namespace terse {
namespace {

struct Free {
  void operator()(stbi_uc* pixels) const { stbi_image_free(pixels); }
};

struct Picture {
  std::unique_ptr<stbi_uc, Free> pixels;  // H×W×C
  int height = 0, width = 0;
};

Picture decode(const std::filesystem::path& file, int channels) {
  const std::string bytes = GzReader("images", file).read_rest();
  const std::string_view view = bytes;
  // stb_image makes grey of what is missing of a JPEG; its end marker tells.
  check(!view.starts_with("\xFF\xD8") || view.rfind("\xFF\xD9") != std::string_view::npos,
        "images '{}': truncated: a JPEG file without its end", file.string());
  check(bytes.size() <= std::numeric_limits<int>::max(), "images '{}': too long: {} bytes",
        file.string(), bytes.size());
  Picture picture;
  int in_file = 0;
  picture.pixels.reset(stbi_load_from_memory(reinterpret_cast<const stbi_uc*>(bytes.data()),
                                             static_cast<int>(bytes.size()), &picture.width,
                                             &picture.height, &in_file, channels));
  check(picture.pixels != nullptr, "images '{}': not a picture that can be read: {}", file.string(),
        stbi_failure_reason());
  return picture;
}

// The square in the middle of a picture as size×size×channels. stb_image_resize would blur one of
// that size already.
std::vector<std::uint8_t> resize(const Picture& picture, int channels, int size) {
  const int side = std::min(picture.height, picture.width);
  const std::ptrdiff_t stride = std::ptrdiff_t{picture.width} * channels;
  const stbi_uc* square = picture.pixels.get() + (picture.height - side) / 2 * stride +
                          std::ptrdiff_t{(picture.width - side) / 2} * channels;
  const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(size) * channels;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(row * size));
  if (side == size) {
    for (int y = 0; y < size; ++y) std::copy_n(square + y * stride, row, pixels.begin() + y * row);
    return pixels;
  }
  const int done = stbir_resize_uint8(square, side, side, static_cast<int>(stride), pixels.data(),
                                      size, size, 0, channels);
  check(done == 1, "images: no memory to resize {}x{} to {}x{}", side, side, size, size);
  return pixels;
}

}  // namespace

std::vector<std::uint8_t> read_image(const std::filesystem::path& file, std::int64_t channels,
                                     std::int64_t size) {
  check((channels == 1 || channels == 3) && size >= 1 && size <= STBI_MAX_DIMENSIONS,
        "images: channels must be 1 or 3 and size from 1 to {}; got {} and {}", STBI_MAX_DIMENSIONS,
        channels, size);
  const int depth = static_cast<int>(channels);
  auto pixels = resize(decode(file, depth), depth, static_cast<int>(size));  // H×W×C
  if (depth == 1) return pixels;
  std::vector<std::uint8_t> planes;
  planes.reserve(pixels.size());
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t i = c; i < pixels.size(); i += 3) planes.push_back(pixels[i]);
  }
  return planes;
}

}  // namespace terse
