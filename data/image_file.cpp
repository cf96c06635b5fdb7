#include "tersegrad/data/image_file.hpp"

// This is the only translation unit that contains the code of stb.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_ONLY_GIF
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

#include "tersegrad/core/error.hpp"
#include "tersegrad/data/gz_reader.hpp"
#include "tersegrad/data/picture.hpp"

namespace terse {
namespace {

Picture decode_by_stb(std::string_view bytes, int channels) {
  check(bytes.size() <= std::numeric_limits<int>::max(),
        "too long: expected at most {} bytes; got {}", std::numeric_limits<int>::max(),
        bytes.size());
  int width = 0, height = 0, in_file = 0;
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> pixels(
      stbi_load_from_memory(reinterpret_cast<const stbi_uc*>(bytes.data()),
                            static_cast<int>(bytes.size()), &width, &height, &in_file, channels),
      stbi_image_free);
  check(pixels != nullptr, "{}", stbi_failure_reason());
  const auto count = std::size_t{1} * static_cast<std::size_t>(width) *
                     static_cast<std::size_t>(height) * static_cast<std::size_t>(channels);
  return {.pixels = {pixels.get(), pixels.get() + count},
          .height = height,
          .width = width,
          .channels = channels};
}

Picture decode(const std::filesystem::path& file, int channels) {
  const std::string bytes = GzReader("images", file).read_rest();
  const std::string_view view = bytes;
  try {
    if (view.starts_with("\xFF\xD8")) return decode_jpeg(view, channels);
    if (view.starts_with("BM")) check_bmp_is_whole(view);
    if (view.starts_with("GIF8")) check_gif_is_whole(view);
    return decode_by_stb(view, channels);
  } catch (const Error& e) {
    throw Error(
        fmt::format("images '{}': not a picture that can be read: {}; remove the file or "
                    "replace it",
                    file.string(), e.what()));
  }
}

// Returns the largest centred square of a picture as size×size×channels. A square that already has
// this size is copied, because stb_image_resize would blur it.
std::vector<std::uint8_t> resize(const Picture& picture, int channels, int size) {
  const int side = std::min(picture.height, picture.width);
  const std::ptrdiff_t stride = std::ptrdiff_t{picture.width} * channels;
  const stbi_uc* square = picture.pixels.data() + (picture.height - side) / 2 * stride +
                          std::ptrdiff_t{(picture.width - side) / 2} * channels;
  const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(size) * channels;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(row * size));
  if (side == size) {
    for (int y = 0; y < size; ++y) std::copy_n(square + y * stride, row, pixels.begin() + y * row);
    return pixels;
  }
  const int done = stbir_resize_uint8(square, side, side, static_cast<int>(stride), pixels.data(),
                                      size, size, 0, channels);
  check(done == 1, "images: out of memory while resizing {}x{} to {}x{}", side, side, size, size);
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
