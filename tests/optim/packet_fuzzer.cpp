// A fuzz target for libFuzzer. The first byte selects the compressor and the second one of its real
// packets; the remaining bytes replace that packet. The target sets a valid checksum, so that the
// bytes reach the compressor.
//
//   cmake --preset fuzz && cmake --build --preset fuzz --target packet_fuzzer
//   build/fuzz/bin/packet_fuzzer -max_total_time=60
//
// libFuzzer is unlikely to guess a whole packet, so an input that is shorter than a header
// overwrites only the end of the real packet.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "packet_target.hpp"

namespace {

std::vector<terse::PacketTarget>& targets() {
  static std::vector<terse::PacketTarget> all = [] {
    std::vector<terse::PacketTarget> made;
    for (const auto& spec : terse::fuzzed_specs()) made.emplace_back(spec);
    return made;
  }();
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  auto& target = targets()[data[0] % targets().size()];
  const auto& sample = target.samples()[data[1] % target.samples().size()];
  terse::ByteVector bytes(size - 2);
  std::memcpy(bytes.data(), data + 2, bytes.size());
  if (bytes.size() < terse::Packet::kHeaderBytes) {
    auto laid_over = sample.bytes;
    const auto place = laid_over.size() - std::min(laid_over.size(), bytes.size());
    std::copy(bytes.begin(), bytes.begin() + (laid_over.size() - place), laid_over.begin() + place);
    bytes = laid_over;
  }
  target.receive(sample, terse::with_valid_checksum(bytes));
  return 0;
}
