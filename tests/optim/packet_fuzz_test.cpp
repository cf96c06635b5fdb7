// Fuzz test with hostile packets: real packets with bytes that are flipped, cut off or added, from
// a fixed seed. Decoding must give values or throw a PacketError.
//
// TERSE_FUZZ_MUTATIONS sets the number of mutations per compressor (10 000 by default). A million
// each under AddressSanitizer:
//
//   cmake --preset asan && cmake --build --preset asan --target packet_fuzz_test
//   TERSE_FUZZ_MUTATIONS=1000000 build/asan/bin/packet_fuzz_test
//
// packet_fuzzer.cpp is the same test for libFuzzer (preset fuzz).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "packet_target.hpp"

namespace terse {
namespace {

std::int64_t mutation_count() {
  const char* wanted = std::getenv("TERSE_FUZZ_MUTATIONS");
  return wanted == nullptr ? 10000 : std::atoll(wanted);
}

// Applies one to three random mutations at random positions.
ByteVector mutate(ByteVector bytes, Philox& random) {
  for (auto changes = 1 + random.below(3); changes > 0; --changes) {
    const auto place = random.below(bytes.size() + 1);
    switch (random.below(5)) {
      case 0:  // cut
        if (random.below(2) == 0) bytes.resize(place);
        break;
      case 1:  // lengthen
        bytes.insert(bytes.end(), 1 + random.below(16), static_cast<std::byte>(random.next()));
        break;
      case 2:  // an extreme word
        for (auto i = place; i < std::min<std::uint64_t>(place + 4, bytes.size()); ++i) {
          bytes[i] = static_cast<std::byte>(random.below(2) == 0 ? 0xff : 0x00);
        }
        break;
      case 3:  // another byte
        if (place < bytes.size()) bytes[place] = static_cast<std::byte>(random.next());
        break;
      default:  // another bit
        if (place < bytes.size()) bytes[place] ^= static_cast<std::byte>(1U << random.below(8));
    }
  }
  return bytes;
}

class PacketFuzz : public testing::TestWithParam<std::string> {};

TEST_P(PacketFuzz, GivesValuesOrAPacketError) {
  PacketTarget target(GetParam());
  const auto mutations = mutation_count();
  Philox random(29, {});
  std::int64_t seen = 0;
  for (std::int64_t i = 0; i < mutations; ++i) {
    const auto& sample = target.samples()[random.below(target.samples().size())];
    auto bytes = mutate(sample.bytes, random);
    if (i % 2 == 0) bytes = with_valid_checksum(bytes);
    if (target.receive(sample, std::move(bytes))) ++seen;
  }
  EXPECT_GE(seen, mutations * 2 / 5) << "too few reached the compressor to test it";
}

TEST_P(PacketFuzz, RealPacketsAreTaken) {
  PacketTarget target(GetParam());
  for (const auto& sample : target.samples()) {
    EXPECT_NO_THROW(Packet::parse(sample.bytes));
    EXPECT_TRUE(target.receive(sample, sample.bytes));
  }
}

INSTANTIATE_TEST_SUITE_P(Compressors, PacketFuzz, testing::ValuesIn(fuzzed_specs()),
                         [](const auto& fuzz) {
                           std::string name = fuzz.param;
                           std::ranges::replace_if(
                               name, [](char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

}  // namespace
}  // namespace terse
