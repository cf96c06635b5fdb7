#include "nn/module.hpp"

#include <fmt/format.h>

#include "core/autograd.hpp"
#include "nn/layers.hpp"

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

Parameter::Parameter(const Shape& shape, real bound, Init& init) : tensor_(Tensor::empty(shape)) {
  Philox random = init.next();
  for (auto& value : tensor_.data_mut()) {
    value = bound * static_cast<real>(2 * random.uniform_double() - 1);
  }
  tensor_.set_requires_grad();
}

std::string Visitor::path(std::string_view name) const {
  return prefix_.empty() ? std::string(name) : fmt::format("{}.{}", prefix_, name);
}

void Visitor::operator()(std::string_view name, Parameter& p) {
  if (p.defined()) parameter(path(name), p);
}

void Visitor::operator()(std::string_view name, Module& part) {
  const std::string outer = std::exchange(prefix_, path(name));
  module(prefix_, part);
  part.visit(*this);
  prefix_ = outer;
}

void Module::visit(Visitor& /*visitor*/) {}

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

void seed_dropout(Module& module, std::uint64_t seed, std::uint32_t worker) {
  std::uint32_t number = 0;
  for_each_part(module, [&](const std::string&, Module& part) {
    if (auto* dropout = dynamic_cast<Dropout*>(&part)) dropout->seed(seed, worker, number++);
  });
}

std::string summary(Module& module, const Shape& input) {
  std::string text = fmt::format("{:<12} {:<44} {:>12}\n", "name", "layer", "parameters");
  for_each_part(module, [&](const std::string& name, Module& part) {
    text += fmt::format("{:<12} {:<44} {:>12}\n", name, part.describe(), count_parameters(part));
  });
  const NoGrad no_grad;
  const bool training = module.training();
  module.eval();
  const Tensor y = module(Tensor::zeros(input));
  module.train(training);
  text += fmt::format("{} -> {}, {} parameters in {} tensors\n", input.to_string(),
                      y.shape().to_string(), count_parameters(module), parameters(module).size());
  return text;
}

}  // namespace terse::nn
