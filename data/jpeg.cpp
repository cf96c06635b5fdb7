#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>  // jpeglib.h requires FILE and size_t to be declared before it
#include <string>
#include <vector>
//
#include <jpeglib.h>
//
#include <jerror.h>

#include "tersegrad/core/error.hpp"
#include "tersegrad/data/picture.hpp"

namespace terse {
namespace {

constexpr int kExif = JPEG_APP0 + 1;

// On an error, libjpeg returns to read() by longjmp. No C++ object with a destructor may be created
// in between, so all of them are members.
class JpegDecoder {
 public:
  JpegDecoder(std::string_view file, int channels) : file_(file), channels_(channels) {
    info_.err = jpeg_std_error(&errors_);
    info_.client_data = this;
    errors_.error_exit = [](j_common_ptr info) {
      auto* self = static_cast<JpegDecoder*>(info->client_data);
      std::array<char, JMSG_LENGTH_MAX> text{};
      info->err->format_message(info, text.data());
      self->reason_ = text.data();
      std::longjmp(self->jump_, 1);
    };
    errors_.emit_message = [](j_common_ptr info, int level) {
      const bool missing =
          info->err->msg_code == JWRN_HIT_MARKER || info->err->msg_code == JWRN_MUST_RESYNC;
      if (level < 0 && missing) {
        static_cast<JpegDecoder*>(info->client_data)->reason_ = "part of the pixels is missing";
      }
    };
    jpeg_create_decompress(&info_);
  }
  ~JpegDecoder() { jpeg_destroy_decompress(&info_); }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  // Throws Error with the reason if the picture is corrupt or not complete.
  Picture decode() {
    read();
    check(reason_.empty(), "{}", reason_);
    return oriented(std::move(picture_), orientation_);
  }

 private:
  void read() {
    if (setjmp(jump_) != 0) return;
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(file_.data()), file_.size());
    jpeg_save_markers(&info_, kExif, 0xFFFF);
    jpeg_read_header(&info_, TRUE);
    if (too_large()) return;
    find_orientation();
    const bool cmyk = info_.num_components == 4;
    info_.out_color_space = cmyk ? JCS_CMYK : channels_ == 1 ? JCS_GRAYSCALE : JCS_RGB;
    info_.buffered_image = jpeg_has_multiple_scans(&info_);
    jpeg_start_decompress(&info_);
    if (info_.buffered_image != 0) {
      if (!take_all_scans()) return;
      jpeg_start_output(&info_, info_.input_scan_number);
    }
    picture_.height = static_cast<int>(info_.output_height);
    picture_.width = static_cast<int>(info_.output_width);
    picture_.channels = channels_;
    const auto row_bytes = std::size_t{info_.output_width} * static_cast<std::size_t>(channels_);
    picture_.pixels.resize(row_bytes * info_.output_height);
    row_.resize(std::size_t{info_.output_width} *
                static_cast<std::size_t>(info_.output_components));
    while (info_.output_scanline < info_.output_height) {
      auto* to = picture_.pixels.data() + row_bytes * info_.output_scanline;
      JSAMPROW row = cmyk ? row_.data() : to;
      jpeg_read_scanlines(&info_, &row, 1);
      if (cmyk) convert_cmyk(to);
    }
    if (info_.buffered_image != 0) jpeg_finish_output(&info_);
    jpeg_finish_decompress(&info_);
  }

  bool too_large() {
    const auto height = std::int64_t{info_.image_height}, width = std::int64_t{info_.image_width};
    if (std::max(height, width) <= kLongestSide && height * width <= kMostPixels) return false;
    reason_ = fmt::format("expected at most {} pixels a side and {} in total; got {}x{}",
                          kLongestSide, kMostPixels, width, height);
    return true;
  }

  void find_orientation() {
    for (auto* marker = info_.marker_list; marker != nullptr; marker = marker->next) {
      if (marker->marker != kExif) continue;
      orientation_ =
          exif_orientation({reinterpret_cast<const char*>(marker->data), marker->data_length});
      if (orientation_ != 1) return;
    }
  }

  // Reads all scans of a file with several scans, before the first row is decoded. Returns false
  // and sets reason_ unless all scans of every component are there.
  bool take_all_scans() {
    unsigned seen = 0;
    int status = JPEG_REACHED_SOS;  // the first scan's header has been read
    while (true) {
      if (status == JPEG_REACHED_SOS) {
        for (int i = 0; i < info_.comps_in_scan; ++i) {
          seen |= 1U << static_cast<unsigned>(info_.cur_comp_info[i]->component_index);
        }
      }
      if (status == JPEG_REACHED_EOI) break;
      status = jpeg_consume_input(&info_);
    }
    bool whole = seen + 1 == 1U << static_cast<unsigned>(info_.num_components);
    // For a progressive file, coef_bits holds the number of low bits of each coefficient that have
    // not been received; -1 means all.
    for (int c = 0; c < info_.num_components && info_.coef_bits != nullptr; ++c) {
      whole &= std::all_of(info_.coef_bits[c], info_.coef_bits[c] + DCTSIZE2,
                           [](int bits) { return bits == 0; });
    }
    if (!whole) reason_ = "a scan is missing";
    return whole;
  }

  // Assumes inverted values, as Adobe writes them; other CMYK files are not in use.
  void convert_cmyk(std::uint8_t* to) const {
    for (std::size_t x = 0; x < info_.output_width; ++x) {
      const JSAMPLE* from = row_.data() + 4 * x;
      const auto times_black = [&](int c) {
        return static_cast<unsigned>(from[c]) * from[3] / 255;
      };
      const unsigned red = times_black(0), green = times_black(1), blue = times_black(2);
      if (channels_ == 1) {
        *to++ = static_cast<std::uint8_t>((299 * red + 587 * green + 114 * blue + 500) / 1000);
      } else {
        *to++ = static_cast<std::uint8_t>(red);
        *to++ = static_cast<std::uint8_t>(green);
        *to++ = static_cast<std::uint8_t>(blue);
      }
    }
  }

  std::string_view file_;
  int channels_;
  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  std::jmp_buf jump_{};
  std::string reason_;
  Picture picture_;
  std::vector<JSAMPLE> row_;
  int orientation_ = 1;
};

}  // namespace

Picture decode_jpeg(std::string_view file, int channels) {
  return JpegDecoder(file, channels).decode();
}

}  // namespace terse
