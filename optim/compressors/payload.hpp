// What the payloads of all compressors have in common: cursors that read and write them in order,
// checks, and the text that `explain` prints.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tersegrad/optim/compressor.hpp"

namespace terse {

// Throws PacketError unless the payload has exactly `n` words.
void expect_size(std::span<const std::uint32_t> payload, std::int64_t n);
// The words of the payload. Throws PacketError unless there are exactly `n`.
std::span<const std::uint32_t> expect_words(const Packet& packet, std::int64_t n);
// Throws PacketError unless all bits of the plane after the first `bits` are zero.
void expect_padding(std::span<const std::uint32_t> plane, std::int64_t bits);
// The number of workers whose values the packet sums up. Throws PacketError if it is 0.
float expect_contributors(const Packet& packet);

// The same memory as floats: a payload may hold words and floats.
std::span<const float> as_floats(std::span<const std::uint32_t> words);
std::span<float> as_floats(std::span<std::uint32_t> words);

// Reads a payload, or a part of one, from front to back. `next_` returns a span into the payload
// and throws PacketError if the payload ends before it.
class PayloadReader {
 public:
  explicit PayloadReader(std::span<const std::uint32_t> words) : left_(words) {}
  // Throws PacketError unless the payload has exactly `n` words.
  PayloadReader(std::span<const std::uint32_t> words, std::int64_t n) : PayloadReader(words) {
    expect_size(words, n);
  }
  PayloadReader(const Packet& packet, std::int64_t n) : PayloadReader(packet.words(), n) {}

  std::uint32_t next_word() { return next_words(1).front(); }
  std::span<const std::uint32_t> next_words(std::size_t n);
  std::span<const float> next_floats(std::size_t n) { return as_floats(next_words(n)); }
  // All that is left.
  std::span<const std::uint32_t> rest() { return next_words(left_.size()); }
  std::size_t words_left() const { return left_.size(); }
  // Throws PacketError if words are left.
  void expect_end() const;

 private:
  std::span<const std::uint32_t> left_;
};

// Hands out the words of a new payload, or of a part of one, from front to back; they are not
// initialised. Throws InternalError if there are not enough.
class PayloadWriter {
 public:
  explicit PayloadWriter(std::span<std::uint32_t> words) : left_(words) {}

  std::span<std::uint32_t> next_words(std::size_t n);
  std::span<float> next_floats(std::size_t n) { return as_floats(next_words(n)); }
  // All that is left.
  std::span<std::uint32_t> rest() { return next_words(left_.size()); }

 private:
  std::span<std::uint32_t> left_;
};

// Begins a worker's packet of `n` words, or floats, for so many tensors.
PayloadWriter start_packet(const Round& round, std::uint16_t compressor, std::size_t tensors,
                           std::int64_t n, Packet& up);

// Describes the parts of a payload as fields, one after the other.
class FieldList {
 public:
  explicit FieldList(const Packet& packet) : payload_(packet.payload()) {}

  void floats(std::string name, std::int64_t n);
  void words(std::string name, std::int64_t n);  // as 0 and 1, bit 0 first
  void indices(std::string name, std::int64_t n);
  void signed_indices(std::string name, std::int64_t n);  // bit 31 is minus: "+3 -7"
  void append(std::vector<Field> fields);                 // those of a payload that begins here
  std::vector<Field> take() { return std::move(fields_); }

 private:
  template <class T>
  std::vector<T> next(std::string name, std::int64_t n);  // returns the first few values
  std::span<const std::byte> payload_;
  std::size_t at_ = 0;
  std::vector<Field> fields_;
};

// Whether low-rank methods can factor the tensor. They leave vectors uncompressed.
inline bool is_matrix(const GradView& view) {
  return view.cols > 1;
}

// The shape of a tensor as compressors get it: "3x4" or "5".
std::string shape_text(const GradView& view);

// The base of compressors whose payloads are floats that an all-reduce adds up.
class LinearCompressor : public Compressor {
 public:
  void combine(const Round&, std::span<const GradView> shape, std::span<const Packet> up,
               std::span<const float> weights, Packet& down) final;
};

// The base of linear compressors of a single phase: the sum of all packets and a worker's own
// packet are decoded by the same function.
class OnePhaseLinear : public LinearCompressor {
 public:
  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> scratch) final {
    mean(round, down, scratch);
    return written(round, scratch);
  }
  void reconstruct(const Round& round, const Packet& own,
                   std::span<const GradView> out) const final {
    mean(round, own, out);
  }

 protected:
  // out = the reconstruction of the payload / the number of workers that it sums up.
  virtual void mean(const Round&, const Packet& sum, std::span<const GradView> out) const = 0;
};

}  // namespace terse
