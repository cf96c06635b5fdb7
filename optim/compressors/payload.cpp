#include "tersegrad/optim/compressors/payload.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

// The number of values that the text of a field shows.
constexpr std::int64_t kShown = 48, kShownWords = 8;

}  // namespace

std::span<const std::uint32_t> expect_words(const Packet& packet, std::int64_t n) {
  expect_size(packet.words(), n);
  return packet.words();
}

void expect_size(std::span<const std::uint32_t> payload, std::int64_t n) {
  check<PacketError>(std::ssize(payload) == n,
                     "packet: expected a payload of {} 32-bit values; got {}", n, payload.size());
}

void expect_padding(std::span<const std::uint32_t> plane, std::int64_t bits) {
  const auto used = bits % 32;
  check<PacketError>(used == 0 || plane.back() >> used == 0,
                     "packet: expected zeros after the {} bits of the plane", bits);
}

float expect_contributors(const Packet& packet) {
  const auto contributors = packet.header().contributors;
  check<PacketError>(contributors > 0, "packet: expected a sum over at least 1 worker; got {}",
                     contributors);
  return contributors;
}

std::span<const float> as_floats(std::span<const std::uint32_t> words) {
  return {reinterpret_cast<const float*>(words.data()), words.size()};
}

std::span<float> as_floats(std::span<std::uint32_t> words) {
  return {reinterpret_cast<float*>(words.data()), words.size()};
}

std::span<const std::uint32_t> PayloadReader::next_words(std::size_t n) {
  check<PacketError>(n <= left_.size(), "packet: expected {} more words of payload; got {}", n,
                     left_.size());
  const auto front = left_.first(n);
  left_ = left_.subspan(n);
  return front;
}

void PayloadReader::expect_end() const {
  check<PacketError>(left_.empty(), "packet: expected the end of the payload; got {} more words",
                     left_.size());
}

std::span<std::uint32_t> PayloadWriter::next_words(std::size_t n) {
  internal_check(n <= left_.size(), "payload: expected at most {} more words to be written; got {}",
                 left_.size(), n);
  const auto front = left_.first(n);
  left_ = left_.subspan(n);
  return front;
}

PayloadWriter start_packet(const Round& round, std::uint16_t compressor, std::size_t tensors,
                           std::int64_t n, Packet& up) {
  up.start(header_for(round, compressor, PacketKind::up, tensors),
           static_cast<std::size_t>(n) * sizeof(std::uint32_t));
  return PayloadWriter(up.words());
}

template <class T>
std::vector<T> FieldList::next(std::string name, std::int64_t n) {
  const auto size = static_cast<std::size_t>(n) * sizeof(T);
  check<PacketError>(at_ + size <= payload_.size(), "packet: expected {} bytes of {}; got {}", size,
                     name, payload_.size() - at_);
  std::vector<T> front(static_cast<std::size_t>(std::min(n, kShown)));
  ByteReader(payload_.subspan(at_, size)).get(std::span<T>(front));
  fields_.push_back({.name = std::move(name), .offset = at_, .size = size, .text = {}});
  at_ += size;
  return front;
}

void FieldList::floats(std::string name, std::int64_t n) {
  const auto front = next<float>(std::move(name), n);
  fields_.back().text = fmt::format("{:.4g}{}", fmt::join(front, " "), n > kShown ? " …" : "");
}

void FieldList::indices(std::string name, std::int64_t n) {
  const auto front = next<std::uint32_t>(std::move(name), n);
  fields_.back().text = fmt::format("{}{}", fmt::join(front, " "), n > kShown ? " …" : "");
}

void FieldList::signed_indices(std::string name, std::int64_t n) {
  std::string text;
  for (const auto word : next<std::uint32_t>(std::move(name), n)) {
    text += fmt::format("{}{}{}", text.empty() ? "" : " ", (word >> 31) != 0 ? '-' : '+',
                        word & 0x7fffffffU);
  }
  fields_.back().text = text + (n > kShown ? " …" : "");
}

void FieldList::words(std::string name, std::int64_t n) {
  auto front = next<std::uint32_t>(std::move(name), n);
  front.resize(static_cast<std::size_t>(std::min(n, kShownWords)));
  auto& text = fields_.back().text;
  for (const auto word : front) {
    for (int bit = 0; bit < 32; ++bit) {
      if (bit % 8 == 0 && !text.empty()) text += ' ';
      text += (word >> bit & 1U) != 0 ? '1' : '0';
    }
  }
  if (n > kShownWords) text += " …";
}

void FieldList::append(std::vector<Field> fields) {
  const auto start = at_;
  for (auto& field : fields) {
    field.offset += start;
    at_ = field.offset + field.size;
    fields_.push_back(std::move(field));
  }
}

std::string shape_text(const GradView& view) {
  return view.cols == 1 ? fmt::format("{}", view.rows) : fmt::format("{}x{}", view.rows, view.cols);
}

void LinearCompressor::combine(const Round&, std::span<const GradView>, std::span<const Packet>,
                               std::span<const float>, Packet&) {
  internal_check(false, "{}: payloads of a linear compressor are added, not combined", spec());
}

}  // namespace terse
