#include "optim/tensor_state.hpp"

#include "core/error.hpp"

namespace terse {

std::span<float> TensorState::at(std::uint32_t id, std::int64_t size) {
  auto& array = arrays_[id];
  if (array.empty()) array.resize(static_cast<std::size_t>(size));
  check(std::ssize(array) == size, "compressor state: tensor {} has {} values; got {}", id,
        array.size(), size);
  return array;
}

std::span<const float> TensorState::existing(std::uint32_t id, std::int64_t size) const {
  const auto found = arrays_.find(id);
  check(found != arrays_.end() && std::ssize(found->second) == size,
        "compressor state: {} values of tensor {} are wanted before any were made", size, id);
  return found->second;
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
  for (auto& [id, array] : arrays_) views.push_back({id, std::ssize(array), 1, 1, array});
  return views;
}

void TensorState::serialize(Archive& archive, const std::string& name) {
  auto tensors = static_cast<std::uint64_t>(arrays_.size());
  archive.item(name + ".tensors", tensors);
  if (archive.loading()) {
    arrays_.clear();
    for (std::uint64_t i = 0; i < tensors; ++i) {
      std::uint32_t id = 0;
      archive.item(name + ".id", id);
      archive.item(name, arrays_[id]);
    }
    return;
  }
  for (auto& [id, array] : arrays_) {
    auto key = id;
    archive.item(name + ".id", key);
    archive.item(name, array);
  }
}

}  // namespace terse
