// The base of sparsifiers: a packet holds some coordinates and their values. All others count as 0.
//
//   worker w:  I_w, and x_w,i for i in I_w                        chosen by the compressor
//              send I_w ascending, then the values, or the packet that a coder makes of them
//   exchange:  s_i = sum over the w with i in I_w of weight_w x_w,i, in the order of the workers
//              send the i of any I_w ascending, then the s_i; or all s if that is no longer
//   worker:    mean = s, 0 elsewhere
//
// A subclass chooses I_w. A coordinate is counted through all tensors of the bucket.
//
// Payload up: the values of the tensors that are sent whole, if the compressor has any; then u32
// coordinates, then as many f32 values: 8 bytes per entry.
//   with a coder (`topk+sign`): u32 k, k coordinates, then the coder's payload. To the coder,
//   tensor t is a vector of its k_t values. Error feedback subtracts the coder's reconstruction of
//   them.
// Payload down: as up without a coder; or all s, if that has no more words.
//
// sparse_coded.cpp holds the coder, sparse_fused.cpp error feedback in fewer passes.
#pragma once

#include <memory>
#include <vector>

#include "tersegrad/optim/compressors/entries.hpp"
#include "tersegrad/optim/compressors/gather.hpp"

namespace terse {

class SparseCompressor : public Compressor {
 public:
  explicit SparseCompressor(std::uint16_t number) : number_(number) {}

  std::string spec() const final;
  Traits traits(std::uint64_t) const override { return {}; }
  void encode(const Round& round, std::span<const GradView> grads, Packet& up) final;
  void combine(const Round& round, std::span<const GradView> shape, std::span<const Packet> up,
               std::span<const float> weights, Packet& down) final;
  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> scratch) final;
  void reconstruct(const Round& round, const Packet& own,
                   std::span<const GradView> out) const final;
  // Subtracts only the entries in the packet, without a pass over the whole residual.
  bool encode_with_residual(const Round& round, std::span<const GradView> grads, float keep,
                            std::span<const GradView> residual, Packet& up) final;
  std::vector<Field> fields(const Round& round, const Packet& up,
                            std::span<const GradView> shape) const override;
  void serialize(Archive& archive) override;

  // From now on `coder` codes the values. Throws UsageError if they cannot be coded.
  void code_values(std::unique_ptr<GatherCompressor> coder);

 protected:
  bool has_coder() const { return coder_ != nullptr; }
  // Whether the values are sent uncompressed, or by a coder that is a contraction.
  bool codes_by_contraction() const { return coder_ == nullptr || coder_->is_contraction(); }
  // The spec of this stage, without a coder.
  virtual std::string stage() const = 0;
  // Why a coder cannot stand behind this compressor; empty if it can.
  virtual std::string_view refuses_coder() const { return {}; }
  // Fills `chosen`, which is empty. It contains all values of a tensor that is sent whole.
  virtual void choose(const Round& round, std::span<const GradView> grads, Entries& chosen) = 0;
  // Sets residual = keep residual + gradient and chooses entries of the residual. remove_chosen:
  // then subtracts the chosen entries from the residual.
  virtual void accumulate_and_choose(const Round& round, std::span<const GradView> grads,
                                     float keep, std::span<const GradView> residual,
                                     bool remove_chosen, Entries& chosen);
  // Whether all values of this tensor are sent, and its coordinates therefore are not.
  virtual bool whole(const Round&, const GradView&) const { return false; }

  // Whether a packet without a coder contains the chosen values unchanged.
  virtual bool exact() const { return true; }

  // Write and read the payload; for subclasses that have a shorter one. `read` appends to
  // `entries`, which is empty, and throws PacketError unless the coordinates ascend and lie in the
  // bucket.
  virtual void write(const Round& round, std::span<const GradView> shape, const Entries& chosen,
                     Packet& up) const;
  virtual void read(const Round& round, std::span<const GradView> shape,
                    std::span<const std::uint32_t> payload, Entries& entries) const;

  // Begins a packet; the words are not initialised.
  std::span<std::uint32_t> start(const Round& round, std::span<const GradView> shape,
                                 std::size_t words, Packet& up) const;

 private:
  void write_chosen(const Round& round, std::span<const GradView> shape, Packet& up);
  Entries entries_of(const Round& round, std::span<const GradView> shape, const Packet& own) const;
  std::size_t in_whole_tensors(const Round& round, std::span<const GradView> shape) const;
  void write_plain(const Round& round, std::span<const GradView> shape, const Entries& entries,
                   PacketHeader header, Packet& packet) const;
  void read_plain(const Round& round, std::span<const GradView> shape,
                  std::span<const std::uint32_t> payload, Entries& entries) const;
  // Calls read, or read_coded if there is a coder.
  void read_any(const Round& round, std::span<const GradView> shape,
                std::span<const std::uint32_t> payload, Entries& entries) const;
  void write_coded(const Round& round, std::span<const GradView> shape, const Entries& chosen,
                   Packet& up) const;
  void read_coded(const Round& round, std::span<const GradView> shape,
                  std::span<const std::uint32_t> payload, Entries& entries) const;
  std::vector<Field> coded_fields(const Round& round, const Packet& up,
                                  std::span<const GradView> shape) const;

  std::uint16_t number_;
  std::unique_ptr<GatherCompressor> coder_;
  // Scratch: no state.
  Entries entries_;                // those that are chosen, or read
  std::vector<Entries> received_;  // by worker
  SourcePerBucket<GradientInMemory> means_;
  SourcePerBucket<PlacedEntries> placed_;
};

// A coordinate and a sign in one word: bit 31 is minus.
constexpr std::uint32_t kMinus = 1U << 31;
constexpr std::uint32_t with_sign(std::uint32_t coordinate, bool minus) {
  return coordinate | (minus ? kMinus : 0U);
}
constexpr std::uint32_t coordinate_of(std::uint32_t word) {
  return word & ~kMinus;
}
constexpr bool is_minus(std::uint32_t word) {
  return (word & kMinus) != 0;
}

}  // namespace terse
