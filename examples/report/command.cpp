#include "examples/report/command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <set>
#include <string_view>

#include "examples/run/config.hpp"
#include "examples/run/methods.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/spec.hpp"
#include "tersegrad/inspect/json.hpp"
#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace terse::run {
namespace {

using Json = nlohmann::json;

// Removes the options without which the canonical spec stays the same.
std::string without_defaults(const std::string& text,
                             const std::function<std::string(const std::string&)>& canonical) {
  try {
    const auto whole = canonical(text);
    auto spec = Spec::parse(text);
    for (auto& stage : spec.stages) {
      for (std::size_t i = stage.options.size(); i-- > 0;) {
        const auto options = stage.options;
        stage.options.erase(stage.options.begin() + static_cast<std::ptrdiff_t>(i));
        if (canonical(spec.to_string()) != whole) stage.options = options;
      }
    }
    return spec.to_string();
  } catch (const Error&) {  // of another version
    return text;
  }
}

std::string short_optimizer(const std::string& spec) {
  return without_defaults(spec, [](const std::string& s) { return make_update_rule(s)->spec(); });
}

// The configuration without any of its flags but those on which defaults depend.
Json defaults_for(const Json& config) {
  RunConfig plain;
  try {
    auto same = config_from_json(config);
    for (auto* flag : {&plain, &same}) flag->threads = 1;
    plain.model = same.model;
    plain.data = same.data;
    plain.topology = same.topology;
    plain.workers = same.workers;
    plain.async = same.async;
    plain.compressor = same.compressor;
    plain.network = same.network;
    plain.compute = same.compute;
    complete(plain);
  } catch (const Error&) {  // of another version: the flags that it has are then all written
    plain = {};
    plain.optimizer = "sgd";
  }
  auto json = to_json(plain);
  const RunConfig fresh;
  json["model"] = fresh.model;
  json["data"] = fresh.data;
  json["topology"] = fresh.topology.name();
  json["workers"] = fresh.workers;
  json["compressor"] = fresh.compressor;
  json["network"] = nullptr;
  json["compute"] = nullptr;
  json["async"] = to_json(AsyncConfig());
  return json;
}

// Values that are results of other flags or of the machine, or that a command may not name.
bool is_no_flag(std::string_view key) {
  constexpr std::array<std::string_view, 5> kNone = {"threads", "isa", "float_products", "resumes",
                                                     "async"};
  return std::ranges::find(kNone, key) != kNone.end();
}

std::string flag_text(const std::string& key, const Json& value) {
  std::string name = key == "deadline_seconds" ? "deadline" : key;
  std::ranges::replace(name, '_', '-');
  if (value.is_boolean()) return " --" + name;
  auto text = value.is_string() ? value.get<std::string>() : json_text(value);
  if (key == "compressor") text = short_spec(text);
  if (key == "optimizer" || key == "outer") text = short_optimizer(text);
  return " --" + name + ' ' + shell_word(text);
}

// The flags of an object, in a fixed order for those that come first in any command.
std::string flags_text(const Json& values, const Json& defaults) {
  std::vector<std::string> keys = {"model", "data", "workers", "topology", "compressor"};
  for (const auto& [key, value] : values.items()) {
    if (std::ranges::find(keys, key) == keys.end() && !is_no_flag(key)) keys.push_back(key);
  }
  std::string text;
  for (const auto& key : keys) {
    const auto value = values.find(key);
    const auto plain = defaults.find(key);
    if (value == values.end() || plain == defaults.end() || *value == *plain) continue;
    if (value->is_null() || value->is_structured() || *value == false) continue;
    text += flag_text(key, *value);
  }
  return text;
}

// A value as it is shown beside those of other runs: specs without their defaults.
Json shown_value(const std::string& key, const Json& value) {
  if (!value.is_string()) return value;
  const auto text = value.get<std::string>();
  if (key == "compressor") return short_spec(text);
  return key == "optimizer" || key == "outer" ? short_optimizer(text) : text;
}

// The values of an object, of inner objects too, by keys such as "async.clock".
void flatten(const Json& object, const std::string& prefix, std::map<std::string, Json>& values) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      flatten(value, prefix + key + '.', values);
    } else if (!prefix.empty() || !is_no_flag(key) || key == "isa") {
      values[prefix + key] = shown_value(key, value);
    }
  }
}

std::string value_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : json_text(value);
}

std::string text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? std::string() : value_text(*found);
}

}  // namespace

std::string shell_word(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string shell_command(std::span<const char* const> words) {
  std::string command;
  for (const std::string word : words) {
    command += command.empty() ? word.substr(word.rfind('/') + 1) : ' ' + shell_word(word);
  }
  return command;
}

std::string short_spec(const std::string& compressor) {
  const auto canonical = [](const std::string& spec) { return make_compressor(spec)->spec(); };
  for (const auto& method : all_methods()) {
    if (canonical(method) == compressor) return method;
  }
  return without_defaults(compressor, canonical);
}

std::string train_command(const Json& config) {
  auto values = config;
  const auto text = [&](const char* key) { return text_at(values, key); };
  const bool processes = text("transport") == "mpi", is_async = text("topology") == "async";
  std::string command = "train";
  if (processes && values.contains("workers") && values["workers"].is_number_integer()) {
    const auto workers = values["workers"].get<std::int64_t>();
    command = fmt::format("mpirun -n {} train", workers + (is_async ? 1 : 0));
    values.erase("workers");
  }
  if (text("local_steps") == "0") {  // the outer optimizer is not used
    values.erase("outer");
    values.erase("outer_lr");
  }
  if (text("steps") != "0") values.erase("epochs");
  const auto defaults = defaults_for(config);
  command += flags_text(values, defaults);
  const auto async = values.find("async");
  if (async != values.end() && async->is_object()) {
    command += flags_text(*async, defaults["async"]);
  }
  return command;
}

Json differences_of(const std::vector<Json>& configs) {
  std::vector<std::map<std::string, Json>> all(configs.size());
  std::set<std::string> keys;
  for (std::size_t i = 0; i < configs.size(); ++i) {
    flatten(configs[i], "", all[i]);
    for (const auto& [key, value] : all[i]) keys.insert(key);
  }
  auto list = Json::array();
  for (const auto& key : keys) {
    auto values = Json::array();
    for (const auto& run : all) {
      const auto found = run.find(key);
      values.push_back(found == run.end() ? Json() : found->second);
    }
    if (std::ranges::all_of(values, [&](const Json& v) { return v == values.front(); })) continue;
    list.push_back({{"key", key}, {"values", std::move(values)}});
  }
  return list;
}

namespace {

// The keys that tell most about a run come first.
std::size_t place_of(const Json& difference) {
  constexpr std::array<std::string_view, 4> kFirst = {"topology", "model", "workers", "lr"};
  return std::ranges::find(kFirst, difference["key"].get<std::string>()) - kFirst.begin();
}

// Adds to the labels of these runs the values of one key after the other until all differ.
void distinguish(const std::vector<std::size_t>& runs, const std::vector<Json>& configs,
                 std::vector<std::string>& labels) {
  std::vector<Json> own;
  for (const auto run : runs) own.push_back(configs[run]);
  std::set<std::string> different;
  auto differences = differences_of(own).get<std::vector<Json>>();
  std::ranges::stable_sort(differences, {}, place_of);
  for (const auto& difference : differences) {
    const auto key = difference["key"].get<std::string>();
    if (key == "compressor" || key == "optimizer" || different.size() == runs.size()) continue;
    different.clear();
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const auto& value = difference["values"][i];
      if (!value.is_null()) labels[runs[i]] += ' ' + key + '=' + value_text(value);
      different.insert(labels[runs[i]]);
    }
  }
}

std::map<std::string, std::vector<std::size_t>> groups_of(const std::vector<std::string>& labels) {
  std::map<std::string, std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < labels.size(); ++i) groups[labels[i]].push_back(i);
  std::erase_if(groups, [](const auto& group) { return group.second.size() == 1; });
  return groups;
}

}  // namespace

std::vector<std::string> labels_of(const std::vector<Json>& configs,
                                   const std::vector<std::string>& names) {
  std::vector<std::string> labels;
  for (std::size_t i = 0; i < configs.size(); ++i) {
    const auto compressor = text_at(configs[i], "compressor");
    labels.push_back(compressor.empty() ? names[i] : short_spec(compressor));
  }
  for (const auto& [label, runs] : groups_of(labels)) distinguish(runs, configs, labels);
  for (const auto& [label, runs] : groups_of(labels)) {  // equal configurations
    for (const auto run : runs) labels[run] += " (" + names[run] + ')';
  }
  return labels;
}

std::vector<std::string> unknown_keys(const Json& config) {
  RunConfig plain;
  plain.optimizer = "sgd";
  auto known = to_json(plain);
  known["resumes"] = nullptr;
  known["async"] = to_json(AsyncConfig());
  std::vector<std::string> unknown;
  for (const auto& [key, value] : config.items()) {
    if (!known.contains(key)) unknown.push_back(key);
  }
  return unknown;
}

}  // namespace terse::run
