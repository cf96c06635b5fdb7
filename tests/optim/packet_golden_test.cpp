// Hashes of what every compressor sends and decodes, against tests/golden/packets.txt. The bits are
// the same at every instruction set level, with every compiler and every implementation of libm.
//
// A line of the file consists of a spec, the hash of the packets of three workers in ten steps, and
// the hash of the means. To change a compressor's bits deliberately:
//
//   TERSE_GOLDEN=write laws_test --gtest_filter='PacketGolden.*'     writes the file anew
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/core/simd/isa.hpp"
#include "tersegrad/optim/testing/exchange.hpp"
#include "tests/core/each_level.hpp"

namespace terse {
namespace {

constexpr int kWorkers = 3, kSteps = 10;
const char* const kFile = TERSE_SOURCE_DIR "/tests/golden/packets.txt";

struct Hashes {
  std::uint64_t packets = 0xcbf29ce484222325ULL, means = 0xcbf29ce484222325ULL;
  bool operator==(const Hashes&) const = default;
};

// FNV-1a over 32-bit words. The last word is padded with zeros.
void add_to(std::uint64_t& hash, std::span<const std::byte> bytes) {
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint32_t)) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes.data() + at, std::min(sizeof word, bytes.size() - at));
    hash = (hash ^ word) * 0x100000001b3ULL;
  }
}

// Magnitudes from 2^-14 to 4, with half as many values in each octave as in the one above, and
// zeros of both signs. The computation involves no rounding and no libm function.
OwnedGradients exact_gradients(std::uint32_t step, std::uint32_t worker) {
  // The shapes include two pieces of a parallel loop, convolutions, vectors, and sizes that are not
  // a multiple of any vector width.
  static const std::vector<MatrixShape> shapes = {
      {"", 37, 9, 9}, {"", 1, 1}, {"", 37, 1000}, {"", 101, 1}, {"", 33, 65}};
  const Philox random(17, {.purpose = Purpose::test, .worker = worker, .step = step});
  return make_gradients(shapes, [&random](std::int64_t i) {
    const auto place = 2 * static_cast<std::uint64_t>(i);
    const auto bits = random.at(place), octaves = random.at(place + 1);
    const float sign = (bits & 1U) != 0 ? -1.0F : 1.0F;
    if (octaves % 64 == 0) return 0.0F * sign;
    const int exponent = 1 - std::countr_zero(octaves >> 6 | 1U << 15);
    return sign * std::ldexp(1 + static_cast<float>(bits >> 9) * 0x1p-23F, exponent);
  });
}

// gradients()[step][worker], for all steps.
const std::vector<std::vector<OwnedGradients>>& gradients() {
  static const auto made = [] {
    std::vector<std::vector<OwnedGradients>> steps(kSteps);
    for (std::uint32_t step = 0; step < kSteps; ++step) {
      for (std::uint32_t w = 0; w < kWorkers; ++w) steps[step].push_back(exact_gradients(step, w));
    }
    return steps;
  }();
  return made;
}

Hashes hashes_of(const std::string& spec) {
  TestExchange exchange([&] { return make_compressor(spec); }, kWorkers);
  Hashes hashes;
  for (std::uint32_t step = 0; step < kSteps; ++step) {
    const auto mean = exchange.mean(gradients()[step]);
    for (const auto& phase : exchange.phases()) {
      for (const auto& packet : phase.up) add_to(hashes.packets, packet.payload());
      add_to(hashes.packets, phase.down.payload());
    }
    for (const auto& tensor : mean) {
      add_to(hashes.means, std::as_bytes(std::span(tensor.values)));
    }
  }
  return hashes;
}

// Whether a compressor uses matrix products, LAPACK, or libm's logarithm and cosine, whose rounding
// depends on the library.
bool is_exempt(std::string_view spec) {
  constexpr std::array<std::string_view, 7> kExempt{
      "powersgd", "svd", "unbiased_rank", "atomo", "gradiveq", "noisy_sign", "+noise"};
  return std::ranges::any_of(kExempt, [&](auto name) { return spec.find(name) != spec.npos; });
}

std::vector<std::string> golden_specs() {
  std::vector<std::string> specs;
  const auto add_if_allowed = [&](const std::string& spec) {
    try {
      static_cast<void>(make_compressor(spec));
    } catch (const UsageError&) {
      return;
    }
    specs.push_back(spec);
  };
  for (const auto& entry : compressor_registry()) {
    const std::string example(entry.example);
    if (is_exempt(example)) continue;
    if (entry.decorator) {
      if (std::ranges::find(specs, example) == specs.end()) specs.push_back(example);
      continue;
    }
    specs.push_back(example);
    add_if_allowed(example + "+ef");
    add_if_allowed(example + "+momentum:beta=0.9");
  }
  const std::array<std::string, 20> more{
      "dgc:ratio=0.01,warmup=10,stages=exponential",
      "natural+diana",
      "qsgd:bits=2",
      "qsgd:bits=8+ef",
      "qsgd:code=elias",
      "qsgd:norm=max,bucket=512",
      "randomk:ratio=0.1,scaled",
      "sign:scale=l2,scope=model+doublesqueeze:unsafe+onebit_adam:steps=5",
      "stochastic_sign:norm=l2",
      "terngrad:shared",
      "terngrad:clip=2.5",
      "topk:ratio=0.05+fp16",
      "topk:ratio=0.05,warmup=8+ef",
      "topk:ratio=0.05+sign",
      "topk:ratio=0.3+momentum:form=sum,nesterov,mask",
      "vote:tie=plus,zero=plus",
      "int8:bucket=1000",
      "fp16:reduce=wide",
      "bf16:reduce=hop",
      "bf16:stochastic,reduce=hop,divide=before",
  };
  specs.insert(specs.end(), more.begin(), more.end());
  return specs;
}

std::map<std::string, Hashes> read_golden() {
  std::map<std::string, Hashes> golden;
  std::ifstream file(kFile);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream words(line);
    std::string spec;
    Hashes hashes;
    words >> spec >> std::hex >> hashes.packets >> hashes.means;
    golden.emplace(spec, hashes);
  }
  return golden;
}

void write_golden() {
  std::ofstream file(kFile);
  file << "# spec, hash of the packets, hash of the means; tests/optim/packet_golden_test.cpp\n";
  for (const auto& spec : golden_specs()) {
    const auto hashes = hashes_of(spec);
    file << fmt::format("{} {:016x} {:016x}\n", spec, hashes.packets, hashes.means);
  }
}

void expect_golden(const std::string& where) {
  const auto golden = read_golden();
  const auto specs = golden_specs();
  EXPECT_EQ(golden.size(), specs.size()) << kFile;
  for (const auto& spec : specs) {
    const auto entry = golden.find(spec);
    ASSERT_NE(entry, golden.end()) << kFile << " has no line for " << spec;
    const auto hashes = hashes_of(spec);
    EXPECT_EQ(hashes.packets, entry->second.packets) << spec << ": packets at " << where;
    EXPECT_EQ(hashes.means, entry->second.means) << spec << ": means at " << where;
  }
}

TEST(PacketGolden, HoldsAtTheChosenLevel) {
  const char* mode = std::getenv("TERSE_GOLDEN");
  if (mode != nullptr && std::string_view(mode) == "write") write_golden();
  expect_golden("the chosen level");
}

TEST(PacketGolden, HoldsAtEveryLevel) {
  at_each_level([] { expect_golden(std::string(isa_name(isa()))); });
}

}  // namespace
}  // namespace terse
