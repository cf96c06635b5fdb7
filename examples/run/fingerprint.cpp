#include "examples/run/fingerprint.hpp"

#include <fmt/core.h>

#include <span>
#include <variant>

#include "tersegrad/core/archive.hpp"

namespace terse::run {
namespace {

Fingerprint of_splits(const DatasetSplits& data) {
  Fnv1a hash;
  for (const auto* split : {&data.train, &data.test, data.valid ? &*data.valid : nullptr}) {
    if (split == nullptr) continue;
    hash.add("pixels", std::as_bytes(std::span(split->pixels)));
    hash.add("labels", std::as_bytes(std::span(split->labels)));
  }
  return {static_cast<std::uint64_t>(data.train.size()),
          static_cast<std::uint64_t>(data.test.size()), hash.hash()};
}

Fingerprint of_splits(const TextSplits& data) {
  Fnv1a hash;
  for (const auto* split : {&data.train, &data.valid, &data.test}) {
    hash.add("tokens", std::as_bytes(std::span(split->tokens)));
  }
  for (const auto& word : data.train.vocabulary) {
    hash.add("word", std::as_bytes(std::span(word)));
  }
  return {static_cast<std::uint64_t>(data.train.size()),
          static_cast<std::uint64_t>(data.test.size()), hash.hash()};
}

}  // namespace

Fingerprint fingerprint(const Dataset& data) {
  return std::visit([](const auto& splits) { return of_splits(splits); }, data);
}

std::string to_string(const Fingerprint& data) {
  return fmt::format("{} training and {} test samples, hash {:016x}", data[0], data[1], data[2]);
}

}  // namespace terse::run
