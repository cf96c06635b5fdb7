#include "tersegrad/optim/compressors/sparse.hpp"

#include <algorithm>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/kernels/merge.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {
namespace {

// What a coder sees: for each tensor of the bucket, a vector of its chosen values.
std::vector<GradView> chosen_views(std::span<const GradView> shape,
                                   std::span<const std::uint32_t> coordinates,
                                   std::span<float> values) {
  std::vector<GradView> views;
  std::size_t entry = 0, end = 0;
  for (const auto& view : shape) {
    end += view.data.size();
    const auto begin = entry;
    while (entry < coordinates.size() && coordinates[entry] < end) ++entry;
    const auto k = entry - begin;
    views.push_back({view.id, static_cast<std::int64_t>(k), 1, 1, values.subspan(begin, k)});
  }
  return views;
}

Round for_values(Round round, std::size_t k) {
  round.count = static_cast<std::int64_t>(k);
  return round;
}

// A payload whose values are coded, taken apart.
struct Coded {
  std::span<const std::uint32_t> coordinates, values;

  Coded(std::span<const std::uint32_t> payload, std::int64_t n) {
    check<PacketError>(!payload.empty() && payload[0] < payload.size(),
                       "packet: {} words hold fewer coordinates than they say", payload.size());
    coordinates = payload.subspan(1, payload[0]);
    values = payload.subspan(1 + coordinates.size());
    expect_ascending(coordinates, n);
  }
};

// The entries of a payload, after so many values of tensors that are sent whole; of n coordinates.
struct PlainEntries {
  std::span<const std::uint32_t> at;
  std::span<const float> values;
};

PlainEntries split_plain(std::span<const std::uint32_t> payload, std::size_t plain,
                         std::int64_t n) {
  check<PacketError>(payload.size() >= plain && (payload.size() - plain) % 2 == 0,
                     "packet: {} words are not {} values and entries of two", payload.size(),
                     plain);
  const auto named = (payload.size() - plain) / 2;
  const auto at = payload.subspan(plain, named);
  expect_ascending(at, n);
  return {at, as_floats(payload.last(named))};
}

}  // namespace

std::string SparseCompressor::spec() const {
  return coder_ == nullptr ? stage() : stage() + '+' + coder_->spec();
}

void SparseCompressor::code_values(std::unique_ptr<GatherCompressor> coder) {
  check<UsageError>(coder_ == nullptr, "compressor '{}': its values are coded already; {} cannot",
                    spec(), coder->spec());
  check<UsageError>(refuses_coder().empty(), "compressor '{}': {} cannot code its values: {}",
                    spec(), coder->spec(), refuses_coder());
  coder_ = std::move(coder);
}

void SparseCompressor::serialize(Archive& archive) {
  if (coder_ != nullptr) coder_->serialize(archive);
}

std::span<std::uint32_t> SparseCompressor::start(const Round& round,
                                                 std::span<const GradView> shape, std::size_t words,
                                                 Packet& up) const {
  up.start(header_for(round, number_, PacketKind::up, shape.size()), words * sizeof(std::uint32_t));
  return up.words();
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

void SparseCompressor::said(const Round& round, const Packet& own,
                            std::span<const GradView> out) const {
  entries_of(round, out, own).place_in(out);
}

bool SparseCompressor::encode_with_residual(const Round& round, std::span<const GradView> grads,
                                            float keep, std::span<const GradView> residual,
                                            Packet& up) {
  const bool as_chosen = coder_ == nullptr && exact();
  entries_.clear();
  feed_and_choose(round, grads, keep, residual, as_chosen, entries_);
  write_chosen(round, residual, up);
  if (!as_chosen) entries_of(round, residual, up).subtract_from(residual);
  return true;
}

void SparseCompressor::feed_and_choose(const Round& round, std::span<const GradView> grads,
                                       float keep, std::span<const GradView> residual, bool take,
                                       Entries& chosen) {
  for (std::size_t t = 0; t < grads.size(); ++t) {
    kernels::blend_to(grads[t].data, keep, 1, residual[t].data);
  }
  choose(round, residual, chosen);
  if (take) chosen.subtract_from(residual);
}

Entries SparseCompressor::entries_of(const Round& round, std::span<const GradView> shape,
                                     const Packet& own) const {
  own.expect(number_, round.phase, shape.size());
  Entries entries;
  read_any(round, shape, own.words(), entries);
  return entries;
}

void SparseCompressor::read_any(const Round& round, std::span<const GradView> shape,
                                std::span<const std::uint32_t> payload, Entries& said) const {
  coder_ == nullptr ? read(round, shape, payload, said) : read_coded(round, shape, payload, said);
}

void SparseCompressor::combine(const Round& round, std::span<const GradView> shape,
                               std::span<const Packet> up, std::span<const float> weights,
                               Packet& down) {
  check<PacketError>(!up.empty(), "{}: packets of no worker", spec());
  const auto n = static_cast<std::size_t>(count(shape));
  said_.resize(up.size());
  std::vector<kernels::SparseTerm> terms;
  for (std::size_t w = 0; w < up.size(); ++w) {
    up[w].expect(number_, round.phase, shape.size());
    said_[w].clear();
    read_any(round, shape, up[w].words(), said_[w]);
    terms.push_back({.at = said_[w].at, .values = said_[w].values, .weight = weights[w]});
  }
  entries_.clear();
  kernels::merge(terms, static_cast<std::int64_t>(n), entries_.at, entries_.values);

  auto header = header_for(round, number_, PacketKind::down, shape.size());
  header.weight = static_cast<std::uint16_t>(up.size());
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
    const auto [at, values] = split_plain(down.words(), 0, count(scratch));
    return placed_.at(round.first) = PlacedEntries(at, values);
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
                            std::span<const std::uint32_t> payload, Entries& said) const {
  read_plain(round, shape, payload, said);
}

void SparseCompressor::write_plain(const Round& round, std::span<const GradView> shape,
                                   const Entries& entries, PacketHeader header,
                                   Packet& packet) const {
  const auto plain = in_whole_tensors(round, shape);
  const auto named = entries.at.size() - plain;
  packet.start(header, (plain + 2 * named) * sizeof(std::uint32_t));
  auto whole_values = packet.floats().begin();
  auto coordinates = packet.words().begin() + static_cast<std::ptrdiff_t>(plain);
  auto values = packet.floats().begin() + static_cast<std::ptrdiff_t>(plain + named);
  std::size_t begin = 0, end = 0, first = 0;
  for (const auto& view : shape) {
    first += view.data.size();
    end =
        static_cast<std::size_t>(std::ranges::lower_bound(entries.at, first) - entries.at.begin());
    const auto said = std::span(entries.values).subspan(begin, end - begin);
    if (whole(round, view)) {
      whole_values = std::ranges::copy(said, whole_values).out;
    } else {
      const auto at = std::span(entries.at).subspan(begin, end - begin);
      coordinates = std::ranges::copy(at, coordinates).out;
      values = std::ranges::copy(said, values).out;
    }
    begin = end;
  }
}

void SparseCompressor::read_plain(const Round& round, std::span<const GradView> shape,
                                  std::span<const std::uint32_t> payload, Entries& entries) const {
  const auto plain = in_whole_tensors(round, shape);
  const auto [coordinates, values] = split_plain(payload, plain, count(shape));
  const auto named = coordinates.size();
  auto whole_values = as_floats(payload.first(plain)).begin();
  std::size_t entry = 0;
  std::uint32_t first = 0;
  for (const auto& view : shape) {
    const auto end = first + static_cast<std::uint32_t>(view.data.size());
    if (whole(round, view)) {
      check<PacketError>(entry == named || coordinates[entry] >= end,
                         "packet: coordinate {} is of a tensor that is sent whole",
                         entry == named ? 0 : coordinates[entry]);
      for (auto i = first; i < end; ++i) entries.add(i, *whole_values++);
    }
    const auto begin = entry;
    while (entry < named && coordinates[entry] < end) ++entry;
    const auto at = coordinates.subspan(begin, entry - begin);
    const auto said = values.subspan(begin, entry - begin);
    entries.at.insert(entries.at.end(), at.begin(), at.end());
    entries.values.insert(entries.values.end(), said.begin(), said.end());
    first = end;
  }
}

void SparseCompressor::write_coded(const Round& round, std::span<const GradView> shape,
                                   const Entries& chosen, Packet& up) const {
  const auto k = chosen.at.size();
  auto values = chosen.values;  // the coder only reads them
  Packet coded;
  coder_->encode(for_values(round, k), chosen_views(shape, chosen.at, values), coded);
  const auto words = start(round, shape, 1 + k + coded.words().size(), up);
  words[0] = static_cast<std::uint32_t>(k);
  std::ranges::copy(chosen.at, words.begin() + 1);
  std::ranges::copy(coded.words(), words.begin() + 1 + static_cast<std::ptrdiff_t>(k));
}

void SparseCompressor::read_coded(const Round& round, std::span<const GradView> shape,
                                  std::span<const std::uint32_t> payload, Entries& said) const {
  const Coded coded(payload, count(shape));
  said.at.assign(coded.coordinates.begin(), coded.coordinates.end());
  said.values.assign(said.at.size(), 0.0F);
  coder_->add(for_values(round, said.at.size()), coded.values, 1,
              chosen_views(shape, said.at, said.values));
}

std::vector<Field> SparseCompressor::fields(const Round& round, const Packet& up,
                                            std::span<const GradView> shape) const {
  FieldList list(up);
  if (coder_ == nullptr) {
    const auto plain = in_whole_tensors(round, shape);
    for (const auto& view : shape) {
      if (!whole(round, view)) continue;
      list.floats("values " + shape_text(view), std::ssize(view.data));
    }
    const auto entries = (std::ssize(up.words()) - static_cast<std::int64_t>(plain)) / 2;
    list.indices("coordinates", entries);
    list.floats("values", entries);
    return list.take();
  }
  const Coded coded(up.words(), count(shape));
  list.indices("entries", 1);
  list.indices("coordinates", std::ssize(coded.coordinates));
  Packet inner(up.header(), coded.values.size_bytes());
  std::ranges::copy(coded.values, inner.words().begin());
  std::vector<float> room(coded.coordinates.size());
  list.append(coder_->fields(for_values(round, room.size()), inner,
                             chosen_views(shape, coded.coordinates, room)));
  return list.take();
}

}  // namespace terse
