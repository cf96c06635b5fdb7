#include "examples/run/shape_list.hpp"

#include <charconv>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parameters.hpp"
#include "tersegrad/nn/models.hpp"

namespace terse::run {
namespace {

constexpr std::int64_t kMostValues = std::int64_t{1} << 33;

// "64x3x3x3" as a matrix: 64 rows.
MatrixShape parse_shape(const std::string& text, std::string_view flag) {
  MatrixShape shape{.name = text, .rows = 1, .cols = 1};
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (int dimension = 0;; ++dimension) {
    std::int64_t size = 0;
    const auto [rest, error] = std::from_chars(at, end, size);
    check<UsageError>(
        error == std::errc{} && size >= 1 && size <= kMostValues / shape.cols &&
            (rest == end || *rest == 'x'),
        "{}: expected lenet, resnet18, resnet50, lstm or shapes such as 64x3,64; got '{}'", flag,
        text);
    (dimension == 0 ? shape.rows : shape.cols) *= size;
    if (dimension >= 2) shape.kernel *= size;
    if (rest == end) return shape;
    at = rest + 1;
  }
}

// LeNet-5 for 28 x 28 grey images and 10 classes: 10 tensors, 61 706 values.
std::vector<MatrixShape> lenet_shapes() {
  nn::Init init(1);
  const auto model =
      nn::make_model("lenet", {.channels = 1, .height = 28, .width = 28, .classes = 10}, init);
  return shapes_of(*model);
}

}  // namespace

std::vector<MatrixShape> parse_shapes(const std::string& text, std::string_view flag) {
  if (text == "lenet") return lenet_shapes();
  if (text == "resnet18") return resnet18_shapes();
  if (text == "resnet50") return resnet50_shapes();
  if (text == "lstm") return lstm_shapes();
  std::vector<MatrixShape> shapes;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    shapes.push_back(parse_shape(text.substr(begin, comma - begin), flag));
    begin = comma + 1;
  }
  return shapes;
}

std::vector<MatrixShape> shapes_of(nn::Module& model) {
  const ParameterBuffer parameters(nn::parameters(model));
  std::vector<MatrixShape> shapes;
  for (const auto& info : parameters.infos()) {
    shapes.push_back({info.name, info.rows, info.cols, info.kernel});
  }
  return shapes;
}

}  // namespace terse::run
