#include "tersegrad/comm/async/model_packet.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/simd/vectorized.hpp"

namespace terse {
namespace {

enum Form : std::uint32_t { kDense, kSparse, kLeave };
constexpr std::size_t kLead = 2;  // words before the content: version and form

// Compares bits: a NaN equals itself, and -0 differs from 0.
bool differ(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) != std::bit_cast<std::uint32_t>(b);
}

std::span<std::uint32_t> start(std::uint64_t step, std::uint64_t version, Form form,
                               std::size_t words, Packet& packet) {
  packet.start(model_header(step), (kLead + words) * sizeof(std::uint32_t));
  packet.words()[0] = static_cast<std::uint32_t>(version);
  packet.words()[1] = form;
  return packet.words().subspan(kLead);
}

}  // namespace

void write_model(std::uint64_t step, std::uint64_t version, std::span<const float> model,
                 std::span<const float> known, Packet& packet) {
  std::size_t changed = model.size();
  if (!known.empty()) {
    changed = vectorized([n = model.size(), now = model.data(), before = known.data()] {
      std::size_t count = 0;
      for (std::size_t i = 0; i < n; ++i) count += differ(now[i], before[i]) ? 1 : 0;
      return count;
    });
  }
  if (1 + 2 * changed >= model.size()) {
    const auto words = start(step, version, kDense, model.size(), packet);
    if (!model.empty()) std::memcpy(words.data(), model.data(), model.size_bytes());
    return;
  }
  const auto words = start(step, version, kSparse, 1 + 2 * changed, packet);
  words[0] = static_cast<std::uint32_t>(changed);
  std::size_t next = 1;
  for (std::size_t i = 0; i < model.size(); ++i) {
    if (!differ(model[i], known[i])) continue;
    words[next] = static_cast<std::uint32_t>(i);
    words[changed + next++] = std::bit_cast<std::uint32_t>(model[i]);
  }
}

void write_leave(std::uint64_t step, Packet& packet) {
  start(step, 0, kLeave, 0, packet);
}

PulledModel read_model(const Packet& packet, std::span<float> model) {
  auto words = packet.words();
  check<PacketError>(words.size() >= kLead,
                     "pull: expected the version and the form, {} words; got {}", kLead,
                     words.size());
  const PulledModel pulled{.leave = words[1] == kLeave, .version = words[0]};
  const auto form = words[1];
  words = words.subspan(kLead);
  if (form == kDense) {
    check<PacketError>(words.size() == model.size(), "pull: expected a model of {} values; got {}",
                       model.size(), words.size());
    if (!model.empty()) std::memcpy(model.data(), words.data(), model.size_bytes());
    return pulled;
  }
  if (form == kLeave) {
    check<PacketError>(words.empty(), "pull: expected no words after the form `leave`; got {}",
                       words.size());
    return pulled;
  }
  check<PacketError>(
      form == kSparse && !words.empty() &&
          words.size() == 1 + 2 * static_cast<std::size_t>(words[0]),
      "pull: expected a dense model, or coordinates and as many values; got form {} and {} words",
      form, words.size());
  const auto k = static_cast<std::size_t>(words[0]);
  const auto at = words.subspan(1, k), values = words.subspan(1 + k);
  for (std::size_t i = 0; i < k; ++i) {
    check<PacketError>(at[i] < model.size() && (i == 0 || at[i - 1] < at[i]),
                       "pull: expected ascending coordinates below {}; got {}", model.size(),
                       at[i]);
    model[at[i]] = std::bit_cast<float>(values[i]);
  }
  return pulled;
}

}  // namespace terse
