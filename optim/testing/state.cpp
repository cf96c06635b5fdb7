#include "optim/testing/state.hpp"

#include <cstring>

namespace terse {
namespace {

class ResidualArchive final : public Archive {
 public:
  bool loading() const override { return false; }
  void bytes(std::string_view name, std::span<std::byte> data) override {
    if (name != "ef.residual") return;
    const auto old = values.size();
    values.resize(old + data.size() / sizeof(float));
    if (!data.empty()) std::memcpy(values.data() + old, data.data(), data.size());
  }
  std::vector<float> values;
};

}  // namespace

std::vector<std::byte> saved_state(Compressor& compressor) {
  SaveArchive archive;
  compressor.serialize(archive);
  return archive.buffer();
}

std::uint64_t state_hash(Compressor& compressor) {
  HashArchive archive;
  compressor.serialize(archive);
  return archive.hash();
}

std::vector<float> residual_of(Compressor& compressor) {
  ResidualArchive archive;
  compressor.serialize(archive);
  return archive.values;
}

}  // namespace terse
