// The messages of an ONNX model: nodes, initializers, inputs and outputs of one graph.
//
// Operators are those of opset 13, the file has IR version 7 (ONNX 1.8, November 2020). Field
// numbers are those of onnx.proto.
// Source: github.com/onnx/onnx, docs/IR.md and docs/Operators.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tersegrad/core/protobuf.hpp"

namespace terse::nn::onnx {

// Attributes of nodes.
ProtobufMessage integer(std::string_view name, std::int64_t value);
ProtobufMessage integers(std::string_view name, std::span<const std::int64_t> values);
ProtobufMessage number(std::string_view name, double value);

enum class ElementType : std::uint8_t { float32 = 1, int64 = 7 };
// The size of a dimension, or the name of one whose size is known only when the model runs.
using Dimension = std::variant<std::int64_t, std::string>;

class Graph {
 public:
  explicit Graph(std::string_view name) { graph_.text(2, name); }

  // Each of these adds a value to the graph and returns its name, which must be unique.
  std::string input(std::string name, ElementType type, const std::vector<Dimension>& shape);
  std::string initializer(std::string name, std::span<const std::int64_t> shape,
                          std::span<const float> values);
  std::string initializer(std::string name, std::span<const std::int64_t> values);
  // The one result of a node. An empty input is one that the operator does not need.
  std::string node(std::string_view op, std::string name, const std::vector<std::string>& inputs,
                   std::initializer_list<ProtobufMessage> attributes = {});

  // A node with any number of results, named `outputs`.
  void node(std::string_view op, std::string_view name, const std::vector<std::string>& inputs,
            const std::vector<std::string>& outputs,
            std::initializer_list<ProtobufMessage> attributes = {});
  // Declares a result of a node as an output of the model.
  void output(std::string_view name, ElementType type, const std::vector<Dimension>& shape);

  // Writes the model atomically. Throws Error with the file's name if the file cannot be written or
  // would have 2 GiB, which is the limit of the encoding.
  void write(const std::filesystem::path& file) const;

 private:
  ProtobufMessage graph_;
};

}  // namespace terse::nn::onnx
