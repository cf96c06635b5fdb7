#include "tersegrad/optim/compressors/sparse.hpp"

#include <algorithm>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/kernels/merge.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {
namespace {

// The parts of a payload without a coder: `in_whole` values of tensors that are sent whole, then
// entries, whose coordinates ascend and are less than n.
struct Plain {
  std::span<const std::uint32_t> whole_values, at;
  std::span<const float> values;

  Plain(std::span<const std::uint32_t> payload, std::size_t in_whole, std::int64_t n) {
    PayloadReader in(payload);
    whole_values = in.next_words(in_whole);
    const auto named = in.words_left() / 2;
    at = in.next_words(named);
    values = in.next_floats(named);
    in.expect_end();
    expect_ascending(at, n);
  }
};

}  // namespace

std::string SparseCompressor::spec() const {
  return coder_ == nullptr ? stage() : stage() + '+' + coder_->spec();
}

void SparseCompressor::serialize(Archive& archive) {
  if (coder_ != nullptr) coder_->serialize(archive);
}

std::span<std::uint32_t> SparseCompressor::start(const Round& round,
                                                 std::span<const GradView> shape, std::size_t words,
                                                 Packet& up) const {
  return start_packet(round, number_, shape.size(), static_cast<std::int64_t>(words), up).rest();
}

void SparseCompressor::encode(const Round& round, std::span<const GradView> grads, Packet& up) {
  entries_.clear();
  choose(round, grads, entries_);
  write_chosen(round, grads, up);
}

void SparseCompressor::write_chosen(const Round& round, std::span<const GradView> shape,
                                    Packet& up) {
  if (coder_ == nullptr) return write(round, shape, entries_, up);
  write_coded(round, shape, entries_, up);
}

void SparseCompressor::reconstruct(const Round& round, const Packet& own,
                                   std::span<const GradView> out) const {
  entries_of(round, out, own).place_in(out);
}

Entries SparseCompressor::entries_of(const Round& round, std::span<const GradView> shape,
                                     const Packet& own) const {
  own.expect(number_, round.phase, shape.size());
  Entries entries;
  read_any(round, shape, own.words(), entries);
  return entries;
}

void SparseCompressor::read_any(const Round& round, std::span<const GradView> shape,
                                std::span<const std::uint32_t> payload, Entries& entries) const {
  if (coder_ == nullptr) return read(round, shape, payload, entries);
  read_coded(round, shape, payload, entries);
}

void SparseCompressor::combine(const Round& round, std::span<const GradView> shape,
                               std::span<const Packet> up, std::span<const float> weights,
                               Packet& down) {
  check<PacketError>(!up.empty(), "{}: expected at least 1 packet; got 0", spec());
  const auto n = static_cast<std::size_t>(count(shape));
  received_.resize(up.size());
  std::vector<kernels::SparseTerm> terms;
  for (std::size_t w = 0; w < up.size(); ++w) {
    up[w].expect(number_, round.phase, shape.size());
    auto& theirs = received_[w];
    theirs.clear();
    read_any(round, shape, up[w].words(), theirs);
    terms.push_back({.at = theirs.at, .values = theirs.values, .weight = weights[w]});
  }
  entries_.clear();
  kernels::merge(terms, static_cast<std::int64_t>(n), entries_.at, entries_.values);

  auto header = header_for(round, number_, PacketKind::down, shape.size());
  header.contributors = static_cast<std::uint16_t>(up.size());
  if (2 * entries_.at.size() - in_whole_tensors(round, shape) < n) {
    return write_plain(round, shape, entries_, header, down);
  }
  down.start(header, n * sizeof(float));
  kernels::place(entries_.at, entries_.values, 0, down.floats());
}

const GradientSource& SparseCompressor::decode(const Round& round, const Packet& down,
                                               std::span<const GradView> scratch) {
  down.expect(number_, round.phase, scratch.size());
  if (std::ssize(down.words()) == count(scratch)) {
    return means_.at(round.first) = GradientInMemory(down.floats());
  }
  if (in_whole_tensors(round, scratch) == 0) {
    const Plain plain(down.words(), 0, count(scratch));
    return placed_.at(round.first) = PlacedEntries(plain.at, plain.values);
  }
  entries_.clear();
  read_plain(round, scratch, down.words(), entries_);
  entries_.place_in(scratch);
  return written(round, scratch);
}

std::size_t SparseCompressor::in_whole_tensors(const Round& round,
                                               std::span<const GradView> shape) const {
  std::size_t n = 0;
  for (const auto& view : shape) n += whole(round, view) ? view.data.size() : 0;
  return n;
}

void SparseCompressor::write(const Round& round, std::span<const GradView> shape,
                             const Entries& chosen, Packet& up) const {
  write_plain(round, shape, chosen, header_for(round, number_, PacketKind::up, shape.size()), up);
}

void SparseCompressor::read(const Round& round, std::span<const GradView> shape,
                            std::span<const std::uint32_t> payload, Entries& entries) const {
  read_plain(round, shape, payload, entries);
}

void SparseCompressor::write_plain(const Round& round, std::span<const GradView> shape,
                                   const Entries& entries, PacketHeader header,
                                   Packet& packet) const {
  const auto in_whole = in_whole_tensors(round, shape);
  const auto named = entries.at.size() - in_whole;
  packet.start(header, (in_whole + 2 * named) * sizeof(std::uint32_t));
  PayloadWriter payload(packet.words());
  PayloadWriter whole_values(payload.next_words(in_whole)), coordinates(payload.next_words(named)),
      values(payload.rest());
  std::size_t begin = 0, stop = 0;  // of the tensor: its first entry, and its last coordinate + 1
  for (const auto& view : shape) {
    stop += view.data.size();
    const auto end =
        static_cast<std::size_t>(std::ranges::lower_bound(entries.at, stop) - entries.at.begin());
    const auto k = end - begin;
    const auto x = std::span(entries.values).subspan(begin, k);
    if (whole(round, view)) {
      std::ranges::copy(x, whole_values.next_floats(k).begin());
    } else {
      const auto at = std::span(entries.at).subspan(begin, k);
      std::ranges::copy(at, coordinates.next_words(k).begin());
      std::ranges::copy(x, values.next_floats(k).begin());
    }
    begin = end;
  }
}

void SparseCompressor::read_plain(const Round& round, std::span<const GradView> shape,
                                  std::span<const std::uint32_t> payload, Entries& entries) const {
  const Plain plain(payload, in_whole_tensors(round, shape), count(shape));
  const auto named = plain.at.size();
  PayloadReader whole_values(plain.whole_values);
  std::size_t entry = 0;
  std::uint32_t first = 0;
  for (const auto& view : shape) {
    const auto end = first + static_cast<std::uint32_t>(view.data.size());
    if (whole(round, view)) {
      check<PacketError>(entry == named || plain.at[entry] >= end,
                         "packet: expected no coordinate of a tensor that is sent whole; got {}",
                         entry == named ? 0 : plain.at[entry]);
      for (const auto x : whole_values.next_floats(view.data.size())) entries.add(first++, x);
    }
    const auto begin = entry;
    while (entry < named && plain.at[entry] < end) ++entry;
    const auto at = plain.at.subspan(begin, entry - begin);
    const auto values = plain.values.subspan(begin, entry - begin);
    entries.at.insert(entries.at.end(), at.begin(), at.end());
    entries.values.insert(entries.values.end(), values.begin(), values.end());
    first = end;
  }
}

std::vector<Field> SparseCompressor::fields(const Round& round, const Packet& up,
                                            std::span<const GradView> shape) const {
  if (coder_ != nullptr) return coded_fields(round, up, shape);
  FieldList list(up);
  const auto in_whole = static_cast<std::int64_t>(in_whole_tensors(round, shape));
  for (const auto& view : shape) {
    if (whole(round, view)) list.floats("values " + shape_text(view), std::ssize(view.data));
  }
  const auto entries = (std::ssize(up.words()) - in_whole) / 2;
  list.indices("coordinates", entries);
  list.floats("values", entries);
  return list.take();
}

}  // namespace terse
