// Module: the base class of layers and models, and the visitors that traverse modules.
//
// A layer has its parameters as value members and lists them once, in visit(). Counting,
// flattening, switching to evaluation and printing are visitors, so none of them can miss a listed
// parameter. Layer is a module that maps one tensor to one tensor.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tersegrad/core/parameters.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/core/tensor.hpp"

namespace terse {
class Archive;
}

namespace terse::nn {

// The source of initial values: one stream of random numbers under `seed` for every parameter.
class Init {
 public:
  explicit Init(std::uint64_t seed) : seed_(seed) {}
  Philox next() { return Philox(seed_, {.purpose = Purpose::init, .tensor = drawn_++}); }
  std::uint64_t seed() const { return seed_; }

 private:
  std::uint64_t seed_;
  std::uint32_t drawn_ = 0;
};

// A trainable tensor. It cannot be assigned, so handles to it stay valid.
class Parameter {
 public:
  Parameter() = default;                                    // undefined: no such parameter
  Parameter(const Shape& shape, real bound, Init& init);    // uniform in [-bound, bound)
  static Parameter normal(const Shape& shape, Init& init);  // N(0, 1)
  static Parameter constant(const Shape& shape, real value, Init& init);
  Parameter(Parameter&&) = default;
  Parameter& operator=(Parameter&&) = delete;

  const Tensor& tensor() const { return tensor_; }
  operator const Tensor&() const { return tensor_; }  // NOLINT(google-explicit-constructor)
  bool defined() const { return tensor_.defined(); }

 private:
  explicit Parameter(Tensor values);
  Tensor tensor_;
};

class Module;

// Interface of visitors. Its functions are called once for everything that a module lists, in the
// order of visit(). Names are dotted paths from the visited module: "features.0.weight".
class Visitor {
 public:
  virtual ~Visitor() = default;
  virtual void parameter(const std::string& /*name*/, Parameter& /*parameter*/) {}
  // State that belongs to the model but is not trained, such as running statistics.
  virtual void buffer(const std::string& /*name*/, Tensor& /*buffer*/) {}
  virtual void module(const std::string& /*name*/, Module& /*module*/) {}
  // `name` is a second name of the parameter `of`, as PyTorch has it.
  virtual void second_name(const std::string& /*name*/, const std::string& /*of*/) {}

  // Called by Module::visit to list a parameter (undefined ones are skipped), a buffer, a part, or
  // a second name of a listed parameter.
  void operator()(std::string_view name, Parameter& parameter);
  void operator()(std::string_view name, Tensor& buffer);
  void operator()(std::string_view name, Module& part);
  void tied(std::string_view name, std::string_view of);

 private:
  std::string path(std::string_view name) const;
  std::string prefix_;
};

// Base class of layers and models.
class Module {
 public:
  virtual ~Module() = default;
  Module() = default;
  Module(const Module&) = delete;  // so two modules share no parameter
  Module& operator=(const Module&) = delete;

  // Lists every parameter, buffer and part once, by calling `visitor`.
  virtual void visit(Visitor& visitor);
  // A short description, such as "Linear(400, 120)".
  virtual std::string describe() const = 0;

  // State of this module alone, besides parameters and buffers, that a later forward pass in
  // training depends on.
  virtual void serialize_own(Archive& /*archive*/) {}

  bool training() const { return training_; }
  // Switches this module and all its parts to training or to evaluation.
  void train(bool on = true);
  void eval() { train(false); }

  // If set, called with every result of this module, for inspection.
  std::function<void(const Tensor& y)> on_output;

 protected:
  // Calls on_output and returns y. Every public function of a module returns its result through it.
  Tensor output(Tensor y) const;

 private:
  bool training_ = true;
};

// A module that maps one tensor to one tensor.
class Layer : public Module {
 public:
  virtual Tensor forward(const Tensor& x) = 0;
  Tensor operator()(const Tensor& x) { return output(forward(x)); }
};

// All parameters with their names, in the order of visit().
std::vector<ParameterBuffer::Named> parameters(Module& module);
std::int64_t count_parameters(Module& module);
// All buffers with their names, in the order of visit().
std::vector<ParameterBuffer::Named> buffers(Module& module);

// Seeds every Dropout of the model. The masks of each are then a function of seed, worker, the
// position of the Dropout in the model and its number of forward passes since.
void seed_dropout(Module& module, std::uint64_t seed, std::uint32_t worker);

// All state of the model besides its parameters: the buffers, and that of serialize_own.
void serialize_extra(Module& module, Archive& archive);

// A table with one line for each module: name, description, shape of its result and number of
// parameters; the last line has the totals. `run` must run the model once on an input; `input`
// describes that input in the table. The model runs in evaluation mode and without a graph.
std::string summary(Module& module, const std::string& input, const std::function<void()>& run);
// The same table for a layer, which runs on zeros of shape `input`.
std::string summary(Layer& layer, const Shape& input);

}  // namespace terse::nn
