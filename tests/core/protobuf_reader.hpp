// A reader of messages in the encoding of Protocol Buffers, for tests of what tersegrad writes.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace terse {

// Throws std::out_of_range for a message that ends within a field, and for types that do not exist.
class ProtobufReader {
 public:
  explicit ProtobufReader(std::string_view message) {
    while (!message.empty()) {
      const auto key = take_varint(message);
      Field field{.number = static_cast<int>(key >> 3), .type = static_cast<int>(key & 7)};
      if (field.type == 0) {
        field.integer = take_varint(message);
      } else {
        const std::size_t size = field.type == 1   ? 8
                                 : field.type == 5 ? 4
                                 : field.type == 2 ? take_varint(message)
                                                   : std::string_view::npos;
        field.bytes = take(message, size);
      }
      fields_.push_back(std::move(field));
    }
  }

  std::vector<std::int64_t> integers(int number) const {
    std::vector<std::int64_t> found;
    for (const auto* field : all(number, 0)) {
      found.push_back(static_cast<std::int64_t>(field->integer));
    }
    return found;
  }
  std::vector<float> floats(int number) const { return values<float>(number, 5); }
  std::vector<double> doubles(int number) const { return values<double>(number, 1); }
  std::vector<double> packed_doubles(int number) const {
    const auto bytes = text(number);
    std::vector<double> found(bytes.size() / sizeof(double));
    std::memcpy(found.data(), bytes.data(), bytes.size());
    return found;
  }
  std::vector<std::string> texts(int number) const {
    std::vector<std::string> found;
    for (const auto* field : all(number, 2)) found.push_back(field->bytes);
    return found;
  }
  std::vector<ProtobufReader> messages(int number) const {
    std::vector<ProtobufReader> found;
    for (const auto& field : texts(number)) found.emplace_back(field);
    return found;
  }
  // The value of a field that occurs once.
  std::int64_t integer(int number) const { return once(integers(number)); }
  std::string text(int number) const { return once(texts(number)); }
  ProtobufReader message(int number) const { return once(messages(number)); }

 private:
  struct Field {
    int number, type;
    std::uint64_t integer = 0;  // of type 0
    std::string bytes = {};     // of the other types
  };

  static std::string take(std::string_view& message, std::size_t size) {
    if (size > message.size()) throw std::out_of_range("a field is longer than its message");
    const std::string front(message.substr(0, size));
    message.remove_prefix(size);
    return front;
  }
  static std::uint64_t take_varint(std::string_view& message) {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(message, 1).front());
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    throw std::out_of_range("a varint has more than ten bytes");
  }
  std::vector<const Field*> all(int number, int type) const {
    std::vector<const Field*> found;
    for (const auto& field : fields_) {
      if (field.number != number) continue;
      EXPECT_EQ(field.type, type) << "field " << number;
      found.push_back(&field);
    }
    return found;
  }
  template <class T>
  std::vector<T> values(int number, int type) const {
    std::vector<T> found;
    for (const auto* field : all(number, type)) {
      std::memcpy(&found.emplace_back(), field->bytes.data(), sizeof(T));
    }
    return found;
  }
  template <class T>
  static T once(const std::vector<T>& values) {
    EXPECT_EQ(values.size(), 1U);
    return values.at(0);
  }

  std::vector<Field> fields_;
};

}  // namespace terse
