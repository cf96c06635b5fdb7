#include "tersegrad/optim/testing/state.hpp"

#include <algorithm>

#include "tersegrad/core/safetensors.hpp"

namespace terse {
namespace {

// Collects the floats of one item, or of all items of one scope.
class ArrayArchive final : public ReadingArchive {
 public:
  explicit ArrayArchive(std::string_view name) : name_(name) {}
  std::vector<float> values;

 private:
  void transfer(const Item& item) override {
    if (item.type != ItemType::f32) return;
    if (item.name != name_ && !item.name.starts_with(std::string(name_) + '/')) return;
    const auto old = values.size();
    values.resize(old + item.data.size() / sizeof(float));
    std::ranges::copy(item.data, std::as_writable_bytes(std::span(values).subspan(old)).begin());
  }
  std::string_view name_;
};

}  // namespace

std::vector<std::byte> saved_state(Compressor& compressor) {
  return safetensors_of([&](Archive& archive) { compressor.serialize(archive); });
}

std::uint64_t state_hash(Compressor& compressor) {
  HashArchive archive;
  compressor.serialize(archive);
  return archive.hash();
}

std::vector<float> state_of(Compressor& compressor, std::string_view name) {
  ArrayArchive archive(name);
  compressor.serialize(archive);
  return archive.values;
}

std::vector<float> state_of(UpdateRule& rule, std::string_view name) {
  ArrayArchive archive(name);
  rule.serialize(archive);
  return archive.values;
}

std::vector<float> residual_of(Compressor& compressor) {
  return state_of(compressor, "ef.residual");
}

}  // namespace terse
