#include "tersegrad/optim/testing/state.hpp"

namespace terse {
namespace {

class ArrayArchive final : public Archive {
 public:
  explicit ArrayArchive(std::string_view name) : name_(name) {}
  bool loading() const override { return false; }
  void bytes(std::string_view, std::span<std::byte>) override {}
  void floats(std::string_view name, std::span<float> array) override {
    if (name == name_) values.insert(values.end(), array.begin(), array.end());
  }
  std::vector<float> values;

 private:
  std::string_view name_;
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

std::vector<float> state_of(Compressor& compressor, std::string_view name) {
  ArrayArchive archive(name);
  compressor.serialize(archive);
  return archive.values;
}

std::vector<float> residual_of(Compressor& compressor) {
  return state_of(compressor, "ef.residual");
}

}  // namespace terse
