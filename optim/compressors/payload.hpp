// What the compressors' payloads have in common: checked access, means, and text for `explain`.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tersegrad/optim/compressor.hpp"

namespace terse {

// The payload as exactly `n` floats, or PacketError.
std::span<const float> expect_floats(const Packet& packet, std::int64_t n);
// The payload as exactly `n` words, or PacketError.
std::span<const std::uint32_t> expect_words(const Packet& packet, std::int64_t n);
// PacketError unless a payload has exactly `n` words.
void expect_size(std::span<const std::uint32_t> payload, std::int64_t n);
// PacketError unless the bits of a plane beyond the first `bits` are zero.
void expect_padding(std::span<const std::uint32_t> plane, std::int64_t bits);
// How many workers' values are summed up in the packet: at least 1, or PacketError.
float expect_weight(const Packet& packet);

// A span of words read as floats, and the reverse: a payload may hold both.
std::span<const float> as_floats(std::span<const std::uint32_t> words);
std::span<float> as_floats(std::span<std::uint32_t> words);

// Puts parts of a payload into fields, one after the other.
class FieldList {
 public:
  explicit FieldList(const Packet& packet) : payload_(packet.payload()) {}

  void floats(std::string name, std::int64_t n);
  void words(std::string name, std::int64_t n);  // as 0 and 1, bit 0 first
  void indices(std::string name, std::int64_t n);
  void signed_indices(std::string name, std::int64_t n);  // bit 31 is minus: "+3 -7"
  void append(std::vector<Field> fields);                 // of a payload that begins here
  std::vector<Field> take() { return std::move(fields_); }

 private:
  template <class T>
  std::vector<T> next(std::string name, std::int64_t n);  // the first few values
  std::span<const std::byte> payload_;
  std::size_t at_ = 0;
  std::vector<Field> fields_;
};

// Whether low-rank methods may factor it: a vector is one column.
inline bool is_matrix(const GradView& view) {
  return view.cols > 1;
}

// "3x4" or "5": a tensor's shape as the compressors see it.
std::string shape_text(const GradView& view);

// A compressor whose payload is floats that may be added up.
class LinearCompressor : public Compressor {
 public:
  void combine(const Round&, std::span<const GradView> shape, std::span<const Packet> up,
               std::span<const float> weights, Packet& down) final;
};

// One of a single phase: the sum of all packets and a worker's own are read alike.
class OnePhaseLinear : public LinearCompressor {
 public:
  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> scratch) final {
    mean(round, down, scratch);
    return written(round, scratch);
  }
  void said(const Round& round, const Packet& own, std::span<const GradView> out) const final {
    mean(round, own, out);
  }

 protected:
  // out = what the payload says, over the number of workers that are in it.
  virtual void mean(const Round&, const Packet& sum, std::span<const GradView> out) const = 0;
};

}  // namespace terse
