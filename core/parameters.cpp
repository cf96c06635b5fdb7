#include "tersegrad/core/parameters.hpp"

#include <algorithm>
#include <functional>

#include "tersegrad/core/archive.hpp"

namespace terse {

ParameterBuffer::ParameterBuffer(std::span<const Named> parameters) {
  std::int64_t total = 0;
  for (const auto& [name, tensor] : parameters) {
    const Shape& shape = tensor.shape();
    const std::int64_t rows = shape.rank() == 0 ? 1 : shape[0];
    std::int64_t kernel = 1;
    for (int dim = 2; dim < shape.rank(); ++dim) kernel *= shape[dim];
    infos_.push_back({.id = static_cast<std::uint32_t>(infos_.size()),
                      .name = name,
                      .shape = shape,
                      .offset = total,
                      .numel = shape.numel(),
                      .rows = rows,
                      .cols = rows == 0 ? 1 : shape.numel() / rows,
                      .kernel = kernel});
    parameters_.push_back(tensor);
    total += shape.numel();
  }
  values_ = Tensor::empty({total});
  gradients_ = Tensor::zeros({total});
  for (std::size_t i = 0; i < infos_.size(); ++i) {
    const auto& info = infos_[i];
    parameters_[i].rehome(values_.view(info.shape, info.offset),
                          gradients_.view(info.shape, info.offset));
  }
}

std::vector<std::string> ParameterBuffer::names() const {
  std::vector<std::string> names;
  for (const auto& info : infos_) names.push_back(info.name);
  return names;
}

std::span<real> ParameterBuffer::gradients() {
  const auto all = gradients_.data_mut();
  for (std::size_t i = 0; i < infos_.size(); ++i) {
    if (parameters_[i].grad().defined()) continue;
    const auto part = all.subspan(static_cast<std::size_t>(infos_[i].offset),
                                  static_cast<std::size_t>(infos_[i].numel));
    std::fill(part.begin(), part.end(), real{0});
  }
  return all;
}

void ParameterBuffer::zero_grad() {
  for (auto& parameter : parameters_) parameter.zero_grad();
}

void ParameterBuffer::serialize(Archive& archive) {
  const auto scope = archive.scope("model");
  for (const auto& info : infos_) {
    const auto part = values().subspan(static_cast<std::size_t>(info.offset),
                                       static_cast<std::size_t>(info.numel));
    archive.item(info.name, part, info.shape.dims());
  }
}

std::optional<std::uint32_t> ParameterBuffer::id_of(const Tensor& tensor) const {
  const std::less<> before;  // std::less also orders pointers into different arrays
  const auto all = values();
  const auto* first = tensor.data().data();
  if (tensor.numel() == 0 || before(first, all.data()) || !before(first, all.data() + all.size())) {
    return std::nullopt;
  }
  // Empty parameters share the offset of the next one: the last with an offset is the one
  // with values.
  const auto after =
      std::ranges::upper_bound(infos_, first - all.data(), {}, &ParameterInfo::offset);
  return std::prev(after)->id;
}

}  // namespace terse
