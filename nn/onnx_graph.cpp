#include "tersegrad/nn/onnx_graph.hpp"

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"

namespace terse::nn::onnx {
namespace {

constexpr std::int64_t kIrVersion = 7, kOpset = 13;
constexpr std::size_t kMostBytes = (std::size_t{1} << 31) - 1;

// AttributeProto.type
constexpr std::int64_t kFloat = 1, kInt = 2, kInts = 7;

ProtobufMessage attribute(std::string_view name, std::int64_t type) {
  return ProtobufMessage().text(1, name).integer(20, type);
}

ProtobufMessage tensor(std::string_view name, ElementType type, std::span<const std::int64_t> shape,
                       std::span<const std::byte> values) {
  ProtobufMessage tensor;
  for (const auto extent : shape) tensor.integer(1, extent);
  return tensor.integer(2, static_cast<std::int64_t>(type)).text(8, name).bytes(9, values);
}

ProtobufMessage value_info(std::string_view name, ElementType type,
                           const std::vector<Dimension>& dimensions) {
  ProtobufMessage shape;
  for (const auto& dimension : dimensions) {
    const auto* size = std::get_if<std::int64_t>(&dimension);
    shape.message(1, size != nullptr ? ProtobufMessage().integer(1, *size)
                                     : ProtobufMessage().text(2, std::get<std::string>(dimension)));
  }
  const auto tensor_type =
      ProtobufMessage().integer(1, static_cast<std::int64_t>(type)).message(2, shape);
  return ProtobufMessage().text(1, name).message(2, ProtobufMessage().message(1, tensor_type));
}

}  // namespace

ProtobufMessage integer(std::string_view name, std::int64_t value) {
  return attribute(name, kInt).integer(3, value);
}

ProtobufMessage integers(std::string_view name, std::span<const std::int64_t> values) {
  auto list = attribute(name, kInts);
  for (const auto value : values) list.integer(8, value);
  return list;
}

ProtobufMessage number(std::string_view name, double value) {
  return attribute(name, kFloat).float32(2, static_cast<float>(value));
}

std::string Graph::input(std::string name, ElementType type, const std::vector<Dimension>& shape) {
  graph_.message(11, value_info(name, type, shape));
  return name;
}

std::string Graph::initializer(std::string name, std::span<const std::int64_t> shape,
                               std::span<const float> values) {
  graph_.message(5, tensor(name, ElementType::float32, shape, std::as_bytes(values)));
  return name;
}

std::string Graph::initializer(std::string name, std::span<const std::int64_t> values) {
  const auto size = static_cast<std::int64_t>(values.size());
  graph_.message(5, tensor(name, ElementType::int64, {&size, 1}, std::as_bytes(values)));
  return name;
}

std::string Graph::node(std::string_view op, std::string name,
                        const std::vector<std::string>& inputs,
                        std::initializer_list<ProtobufMessage> attributes) {
  node(op, name, inputs, {name}, attributes);
  return name;
}

void Graph::node(std::string_view op, std::string_view name, const std::vector<std::string>& inputs,
                 const std::vector<std::string>& outputs,
                 std::initializer_list<ProtobufMessage> attributes) {
  ProtobufMessage node;
  for (const auto& input : inputs) node.text(1, input);
  for (const auto& output : outputs) node.text(2, output);
  node.text(3, name).text(4, op);
  for (const auto& attribute : attributes) node.message(5, attribute);
  graph_.message(1, node);
}

void Graph::output(std::string_view name, ElementType type, const std::vector<Dimension>& shape) {
  graph_.message(12, value_info(name, type, shape));
}

void Graph::write(const std::filesystem::path& file) const {
  const auto model = ProtobufMessage()
                         .integer(1, kIrVersion)
                         .text(2, "tersegrad")
                         .message(7, graph_)
                         .message(8, ProtobufMessage().text(1, "").integer(2, kOpset));
  check(model.encoded().size() <= kMostBytes,
        "'{}': expected less than 2 GiB, the limit of ONNX models; got {} bytes", file.string(),
        model.encoded().size());
  write_file(file, model.encoded());
}

}  // namespace terse::nn::onnx
