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

void TensorState::copy_to(std::span<const GradView> to) const {
  for (const auto& view : to) {
    if (has(view.id)) {
      std::ranges::copy(existing(view.id, std::ssize(view.data)), view.data.begin());
    } else {
      std::ranges::fill(view.data, 0.0F);
    }
  }
}

void TensorState::serialize(Archive& archive, const std::string& name) {
  const auto scope = archive.scope(name);
  std::vector<std::uint32_t> ids;
  for (const auto& [id, array] : arrays_) ids.push_back(id);
  archive.item("ids", ids);
  if (archive.loading()) arrays_.clear();
  for (const auto id : ids) {
    const auto found = arrays_.find(id);
    archive.allocated_item(archive.tensor_name(id),
                           found == arrays_.end() ? std::span<float>() : found->second.span(),
                           [&](std::size_t n) { return at(id, static_cast<std::int64_t>(n)); });
  }
}

}  // namespace terse
