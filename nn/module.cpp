#include "tersegrad/nn/module.hpp"

#include <fmt/format.h>

#include <map>

#include "tersegrad/core/archive.hpp"
#include "tersegrad/core/autograd.hpp"
#include "tersegrad/nn/layers.hpp"

namespace terse::nn {
namespace {

template <class F>
struct ModuleVisitor final : Visitor {
  explicit ModuleVisitor(F f) : f_(f) {}
  void module(const std::string& name, Module& module) override { f_(name, module); }
  F f_;
};

// Calls f(name, module) for every part, outermost first.
template <class F>
void for_each_part(Module& module, F f) {
  ModuleVisitor<F> visitor(f);
  module.visit(visitor);
}

}  // namespace

Parameter::Parameter(Tensor values) : tensor_(std::move(values)) {
  tensor_.set_requires_grad();
}

Parameter::Parameter(const Shape& shape, real bound, Init& init) : Parameter(Tensor::empty(shape)) {
  Philox random = init.next();
  for (auto& value : tensor_.data_mut()) {
    value = bound * static_cast<real>(2 * random.uniform_double() - 1);
  }
}

Parameter Parameter::normal(const Shape& shape, Init& init) {
  Tensor values = Tensor::empty(shape);
  Philox random = init.next();
  for (auto& value : values.data_mut()) value = static_cast<real>(random.normal());
  return Parameter(std::move(values));
}

// Takes a stream although it needs no random numbers, so that stream i belongs to parameter i.
Parameter Parameter::constant(const Shape& shape, real value, Init& init) {
  init.next();
  return Parameter(Tensor::full(shape, value));
}

std::string Visitor::path(std::string_view name) const {
  return prefix_.empty() ? std::string(name) : fmt::format("{}.{}", prefix_, name);
}

void Visitor::operator()(std::string_view name, Parameter& p) {
  if (p.defined()) parameter(path(name), p);
}

void Visitor::operator()(std::string_view name, Tensor& b) {
  buffer(path(name), b);
}

void Visitor::operator()(std::string_view name, Module& part) {
  const std::string outer = std::exchange(prefix_, path(name));
  module(prefix_, part);
  part.visit(*this);
  prefix_ = outer;
}

void Visitor::tied(std::string_view name, std::string_view of) {
  second_name(path(name), path(of));
}

void Module::visit(Visitor& /*visitor*/) {}

Tensor Module::output(Tensor y) const {
  if (on_output) on_output(y);
  return y;
}

void Module::train(bool on) {
  training_ = on;
  for_each_part(*this, [on](const std::string&, Module& part) { part.training_ = on; });
}

std::vector<ParameterBuffer::Named> parameters(Module& module) {
  struct Collect final : Visitor {
    void parameter(const std::string& name, Parameter& p) override {
      found.push_back({name, p.tensor()});
    }
    std::vector<ParameterBuffer::Named> found;
  } collect;
  module.visit(collect);
  return std::move(collect.found);
}

std::int64_t count_parameters(Module& module) {
  std::int64_t n = 0;
  for (const auto& [name, tensor] : parameters(module)) n += tensor.numel();
  return n;
}

std::vector<ParameterBuffer::Named> buffers(Module& module) {
  struct Collect final : Visitor {
    void buffer(const std::string& name, Tensor& b) override { found.push_back({name, b}); }
    std::vector<ParameterBuffer::Named> found;
  } collect;
  module.visit(collect);
  return std::move(collect.found);
}

void seed_dropout(Module& module, std::uint64_t seed, std::uint32_t worker) {
  std::uint32_t number = 0;
  for_each_part(module, [&](const std::string&, Module& part) {
    if (auto* dropout = dynamic_cast<Dropout*>(&part)) dropout->seed(seed, worker, number++);
  });
}

void serialize_extra(Module& module, Archive& archive) {
  {
    const auto scope = archive.scope("buffers");
    for (auto& [name, buffer] : buffers(module)) {
      archive.item(name, buffer.data_mut(), buffer.shape().dims());
    }
  }
  const auto scope = archive.scope("modules");
  for_each_part(module, [&](const std::string& name, Module& part) {
    const auto of_part = archive.scope(name);
    part.serialize_own(archive);
  });
}

namespace {

// "32x128x14x14"
std::string size_text(const Shape& shape) {
  return fmt::format("{}", fmt::join(shape.begin(), shape.end(), "x"));
}

// Formats paths as an outline: each path is relative to the innermost module that contains it, and
// indented by its depth.
class Outline {
 public:
  std::string entry(const std::string& path) {
    while (!open_.empty() && !path.starts_with(open_.back() + ".")) open_.pop_back();
    const std::size_t known = open_.empty() ? 0 : open_.back().size() + 1;
    std::string text = std::string(2 * open_.size(), ' ') + path.substr(known);
    open_.push_back(path);
    return text;
  }

 private:
  std::vector<std::string> open_;
};

}  // namespace

std::string summary(Module& module, const std::string& input, const std::function<void()>& run) {
  std::map<const Module*, std::string> sizes;
  for_each_part(module, [&](const std::string&, Module& part) {
    part.on_output = [&sizes, &part](const Tensor& y) { sizes[&part] = size_text(y.shape()); };
  });
  const bool training = module.training();
  module.eval();
  {
    const NoGrad no_grad;
    run();
  }
  module.train(training);
  constexpr auto kLine = "{:<15} {:<40} {:<13}{:>10}\n";
  std::string text = fmt::format(kLine, "name", "layer", "output", "parameters");
  Outline outline;
  for_each_part(module, [&](const std::string& path, Module& part) {
    part.on_output = nullptr;
    text += fmt::format(kLine, outline.entry(path), part.describe(), sizes[&part],
                        count_parameters(part));
  });
  return text + fmt::format("input {}; {} parameters in {} tensors\n", input,
                            count_parameters(module), parameters(module).size());
}

std::string summary(Layer& layer, const Shape& input) {
  return summary(layer, size_text(input), [&] { layer(Tensor::zeros(input)); });
}

}  // namespace terse::nn
