// Writing of messages in the encoding of Protocol Buffers, which ONNX models and TensorBoard's
// event files use.
//
//   message   its fields, one after the other
//   field     key, value; the key is the varint 8 · number + type
//   type      0: a varint     1: 8 bytes     2: a varint n, n bytes     5: 4 bytes
//   varint    an unsigned integer in groups of 7 bits, lowest first; the high bit of a byte is set
//             if another byte follows
//
// The caller passes the numbers of the fields, which the .proto file of the format states. Fields
// that a .proto file calls `packed` have one key for all values; others are written once a value.
// Source: protobuf.dev/programming-guides/encoding.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace terse {

static_assert(std::endian::native == std::endian::little, "fixed-width values are little endian");

class ProtobufMessage {
 public:
  // A field of type int64, int32, bool or enum.
  ProtobufMessage& integer(int field, std::int64_t value) {
    key(field, 0);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  ProtobufMessage& float32(int field, float value) {
    key(field, 5);
    append(&value, sizeof value);
    return *this;
  }
  ProtobufMessage& float64(int field, double value) {
    key(field, 1);
    append(&value, sizeof value);
    return *this;
  }
  ProtobufMessage& text(int field, std::string_view value) {
    return bytes(field, std::as_bytes(std::span(value)));
  }
  ProtobufMessage& bytes(int field, std::span<const std::byte> value) {
    key(field, 2);
    varint(value.size());
    append(value.data(), value.size());
    return *this;
  }
  ProtobufMessage& message(int field, const ProtobufMessage& value) {
    return text(field, value.encoded());
  }
  ProtobufMessage& packed(int field, std::span<const double> values) {
    return bytes(field, std::as_bytes(values));
  }

  const std::string& encoded() const { return encoded_; }

 private:
  void key(int field, std::uint64_t type) {
    varint((static_cast<std::uint64_t>(field) << 3) | type);
  }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) encoded_ += static_cast<char>(value | 0x80);
    encoded_ += static_cast<char>(value);
  }
  void append(const void* data, std::size_t size) {
    encoded_.append(static_cast<const char*>(data), size);
  }

  std::string encoded_;
};

}  // namespace terse
