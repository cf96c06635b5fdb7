#include "examples/run/trained_model.hpp"

#include <fmt/format.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tersegrad/core/error.hpp"
#include "tersegrad/inspect/json.hpp"

namespace terse::run {
namespace {

nlohmann::json parse(const Checkpoint& checkpoint, const std::string& key) {
  const auto found = checkpoint.metadata().find(key);
  auto json = found == checkpoint.metadata().end()
                  ? nlohmann::json()
                  : nlohmann::json::parse(found->second, nullptr, false);
  check(json.is_object(), "'{}': expected an object {} in the metadata of a checkpoint",
        checkpoint.file().string(), key);
  return json;
}

std::int64_t number(const Checkpoint& checkpoint, const nlohmann::json& json, const char* key) {
  const auto found = json.find(key);
  check(found != json.end() && found->is_number_integer(), "'{}': task: expected a number {}",
        checkpoint.file().string(), key);
  return found->get<std::int64_t>();
}

// The arrays that have this name in the scopes of the workers, or in that of the server.
std::vector<std::span<const std::byte>> find(const Checkpoint& checkpoint, const std::string& kind,
                                             const std::string& name) {
  std::vector<std::span<const std::byte>> found;
  const auto add = [&](const std::string& full) {
    const auto array = checkpoint.arrays().arrays().find(full);
    if (array != checkpoint.arrays().arrays().end() && array->second.type == "F32") {
      found.push_back(array->second.data);
    }
  };
  if (kind == "model") add(fmt::format("server/model/{}", name));
  if (!found.empty()) return found;
  for (const auto& scope : checkpoint.worker_scopes()) {
    add(fmt::format("{}/{}/{}", scope, kind == "model" ? "method/model" : "task/buffers", name));
    if (kind == "buffers") add(fmt::format("{}/learner/buffers/{}", scope, name));
  }
  return found;
}

void load_mean(const Checkpoint& checkpoint, const std::string& kind,
               std::vector<ParameterBuffer::Named> tensors) {
  for (auto& [name, tensor] : tensors) {
    const auto all = find(checkpoint, kind, name);
    const auto values = tensor.data_mut();
    check(!all.empty(), "'{}': expected the array {} of the model", checkpoint.file().string(),
          name);
    std::vector<double> sum(values.size());
    for (const auto& stored : all) {
      check(stored.size() == values.size_bytes(), "'{}': array {}: expected {} values; got {}",
            checkpoint.file().string(), name, values.size(), stored.size() / sizeof(float));
      for (std::size_t i = 0; i < values.size(); ++i) {
        float value = 0;
        std::memcpy(&value, stored.data() + i * sizeof value, sizeof value);
        sum[i] += static_cast<double>(value);
      }
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(sum[i] / static_cast<double>(all.size()));
    }
  }
}

}  // namespace

std::string task_text(const Dataset& data) {
  if (const auto* images = std::get_if<DatasetSplits>(&data)) {
    const auto& train = images->train;
    return json_text({{"channels", train.channels},
                      {"height", train.height},
                      {"width", train.width},
                      {"classes", train.classes}});
  }
  return json_text({{"vocabulary", std::get<TextSplits>(data).train.vocabulary.size()}});
}

TrainedModel trained_model(const Checkpoint& checkpoint) {
  const auto config = config_from_json(parse(checkpoint, "config"));
  const auto task = parse(checkpoint, "task");
  const auto value = [&](const char* key) { return number(checkpoint, task, key); };
  nn::Init init(config.seed);
  TrainedModel trained;
  if (nn::model_kind(config.model) == nn::ModelKind::image) {
    trained.task = {.channels = value("channels"),
                    .height = value("height"),
                    .width = value("width"),
                    .classes = value("classes")};
    trained.image = nn::make_model(config.model, trained.task, init);
  } else {
    trained.text = nn::make_language_model(config.model, value("vocabulary"), init);
  }
  load_mean(checkpoint, "model", nn::parameters(trained.module()));
  load_mean(checkpoint, "buffers", nn::buffers(trained.module()));
  return trained;
}

}  // namespace terse::run
