#include "tersegrad/optim/tensor_state.hpp"

#include <algorithm>

#include "tersegrad/core/error.hpp"

namespace terse {

std::span<float> TensorState::at(std::uint32_t id, std::int64_t size) {
  const auto [found, made] = arrays_.try_emplace(id, size);
  const auto array = found->second.span();
  if (made) std::ranges::fill(array, 0.0F);
  check(std::ssize(array) == size, "compressor state: tensor {}: expected {} values; got {}", id,
        array.size(), size);
  return array;
}

std::span<const float> TensorState::existing(std::uint32_t id, std::int64_t size) const {
  const auto found = arrays_.find(id);
  check(found != arrays_.end() && std::ssize(found->second.span()) == size,
        "compressor state: tensor {}: expected {} values; got {}", id, size,
        found == arrays_.end() ? 0 : std::ssize(found->second.span()));
  return found->second.span();
}

std::vector<GradView> TensorState::views(std::span<const GradView> like) {
  std::vector<GradView> views;
  views.reserve(like.size());
  for (const auto& view : like) {
    views.push_back(view.with(at(view.id, std::ssize(view.data))));
  }
  return views;
}

std::vector<GradView> TensorState::all() {
  std::vector<GradView> views;
  for (auto& [id, array] : arrays_) {
    views.push_back({id, std::ssize(array.span()), 1, 1, array.span()});
  }
  return views;
}

void TensorState::serialize(Archive& archive, const std::string& name) {
  auto tensors = static_cast<std::uint64_t>(arrays_.size());
  archive.item(name + ".tensors", tensors);
  if (archive.loading()) {
    arrays_.clear();
    for (std::uint64_t i = 0; i < tensors; ++i) {
      std::uint32_t id = 0;
      std::uint64_t length = 0;
      archive.item(name + ".id", id);
      archive.item(name + ".length", length);
      check(length < (1ULL << 40), "archive: {}: expected fewer than 2^40 values; got {}", name,
            length);
      archive.item(name, at(id, static_cast<std::int64_t>(length)));
    }
    return;
  }
  for (auto& [id, array] : arrays_) {
    auto key = id;
    std::uint64_t length = array.span().size();
    archive.item(name + ".id", key);
    archive.item(name + ".length", length);
    archive.item(name, array.span());
  }
}

}  // namespace terse
