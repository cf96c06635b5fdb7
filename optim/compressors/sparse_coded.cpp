// Sparsifiers whose values another compressor codes: `topk+sign`.
//
//   worker w:  for each tensor t: the vector of its k_t chosen values
//              send k = sum of all k_t, the k coordinates, and the coder's packet of these vectors
#include <algorithm>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/compressors/sparse.hpp"

namespace terse {
namespace {

// The vectors that the coder codes: for each tensor of the bucket, its chosen values.
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

// The parts of a payload.
struct Coded {
  std::span<const std::uint32_t> coordinates, values;

  Coded(std::span<const std::uint32_t> payload, std::int64_t n) {
    PayloadReader in(payload);
    coordinates = in.next_words(in.next_word());
    values = in.rest();
    expect_ascending(coordinates, n);
  }
};

}  // namespace

void SparseCompressor::code_values(std::unique_ptr<GatherCompressor> coder) {
  check<UsageError>(coder_ == nullptr,
                    "compressor '{}': {} cannot code its values: they are already coded", spec(),
                    coder->spec());
  check<UsageError>(refuses_coder().empty(), "compressor '{}': {} cannot code its values: {}",
                    spec(), coder->spec(), refuses_coder());
  coder_ = std::move(coder);
}

void SparseCompressor::write_coded(const Round& round, std::span<const GradView> shape,
                                   const Entries& chosen, Packet& up) const {
  const auto k = chosen.at.size();
  auto values = chosen.values;  // a copy, because views are not const; the coder only reads them
  Packet coded;
  coder_->encode(for_values(round, k), chosen_views(shape, chosen.at, values), coded);
  PayloadWriter payload(start(round, shape, 1 + k + coded.words().size(), up));
  payload.next_words(1)[0] = static_cast<std::uint32_t>(k);
  std::ranges::copy(chosen.at, payload.next_words(k).begin());
  std::ranges::copy(coded.words(), payload.rest().begin());
}

void SparseCompressor::read_coded(const Round& round, std::span<const GradView> shape,
                                  std::span<const std::uint32_t> payload, Entries& entries) const {
  const Coded coded(payload, count(shape));
  entries.at.assign(coded.coordinates.begin(), coded.coordinates.end());
  entries.values.assign(entries.at.size(), 0.0F);
  coder_->add(for_values(round, entries.at.size()), coded.values, 1,
              chosen_views(shape, entries.at, entries.values));
}

std::vector<Field> SparseCompressor::coded_fields(const Round& round, const Packet& up,
                                                  std::span<const GradView> shape) const {
  const Coded coded(up.words(), count(shape));
  FieldList list(up);
  list.indices("entries", 1);
  list.indices("coordinates", std::ssize(coded.coordinates));
  Packet inner(up.header(), coded.values.size_bytes());
  std::ranges::copy(coded.values, inner.words().begin());
  std::vector<float> scratch(coded.coordinates.size());
  list.append(coder_->fields(for_values(round, scratch.size()), inner,
                             chosen_views(shape, coded.coordinates, scratch)));
  return list.take();
}

}  // namespace terse
