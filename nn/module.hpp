// Module: what every layer and model is; and the visitors that work on any of them.
//
// A layer's parameters are value members. It lists them once, in visit(); counting, flattening,
// switching to evaluation and printing are visitors, so a listed parameter is never forgotten by
// one of them. Layer is a module that maps one tensor to one tensor.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tersegrad/core/parameters.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/core/tensor.hpp"

namespace terse::nn {

// Where first values come from: a seed, and a stream of its own for every parameter drawn.
class Init {
 public:
  explicit Init(std::uint64_t seed) : seed_(seed) {}
  Philox next() { return Philox(seed_, {.purpose = Purpose::init, .tensor = drawn_++}); }
  std::uint64_t seed() const { return seed_; }

 private:
  std::uint64_t seed_;
  std::uint32_t drawn_ = 0;
};

// A tensor that is trained. It cannot be assigned: every handle to it stays a handle to it.
class Parameter {
 public:
  Parameter() = default;                                    // none: a layer without a bias
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

// Called once for everything that a module lists, in that order. Names are dotted paths from the
// module that was visited: "features.0.weight".
class Visitor {
 public:
  virtual ~Visitor() = default;
  virtual void parameter(const std::string& /*name*/, Parameter& /*parameter*/) {}
  // State that is not trained but belongs to the model: running statistics.
  virtual void buffer(const std::string& /*name*/, Tensor& /*buffer*/) {}
  virtual void module(const std::string& /*name*/, Module& /*module*/) {}

  // What visit() calls: lists a parameter (an undefined one is passed over), a buffer or a part.
  void operator()(std::string_view name, Parameter& parameter);
  void operator()(std::string_view name, Tensor& buffer);
  void operator()(std::string_view name, Module& part);

 private:
  std::string path(std::string_view name) const;
  std::string prefix_;
};

class Module {
 public:
  virtual ~Module() = default;
  Module() = default;
  Module(const Module&) = delete;  // two modules never share a parameter by accident
  Module& operator=(const Module&) = delete;

  // Lists every parameter, buffer and part, once.
  virtual void visit(Visitor& visitor);
  // "Linear(400, 120)"
  virtual std::string describe() const = 0;

  bool training() const { return training_; }
  // Training or evaluation, for this module and all its parts.
  void train(bool on = true);
  void eval() { train(false); }

  // Called with every result, if set: for looking at what goes through a model.
  std::function<void(const Tensor& y)> on_output;

 protected:
  // What a module's functions return their result through.
  Tensor output(Tensor y) const;

 private:
  bool training_ = true;
};

class Layer : public Module {
 public:
  virtual Tensor forward(const Tensor& x) = 0;
  Tensor operator()(const Tensor& x) { return output(forward(x)); }
};

// All parameters with their names, in the order of visit().
std::vector<ParameterBuffer::Named> parameters(Module& module);
std::int64_t count_parameters(Module& module);
// All buffers, likewise.
std::vector<ParameterBuffer::Named> buffers(Module& module);

// Gives every Dropout of the model draws of its own: a function of (seed, worker) and of how many
// forward passes it has made.
void seed_dropout(Module& module, std::uint64_t seed, std::uint32_t worker);

// One line a module: name, what it is, shape of its result, parameters; and the total. `run` makes
// the model work once on an input that looks like `input`; it runs in evaluation, without a graph.
std::string summary(Module& module, const std::string& input, const std::function<void()>& run);
// For a layer, with zeros of that shape.
std::string summary(Layer& layer, const Shape& input);

}  // namespace terse::nn
