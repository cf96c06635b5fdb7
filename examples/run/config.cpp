#include "examples/run/config.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "examples/run/command_line.hpp"
#include "tersegrad/comm/network/network_model.hpp"
#include "tersegrad/comm/topology/robust_compressor.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/core/kernels/gemm/choice.hpp"
#include "tersegrad/core/name_table.hpp"
#include "tersegrad/core/simd/isa.hpp"
#include "tersegrad/inspect/json.hpp"
#include "tersegrad/inspect/run_folder.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace terse::run {
namespace {

constexpr NameTable<RunTopology, 4> kTopologies = {{{"local", RunTopology::local},
                                                    {"ring", RunTopology::ring},
                                                    {"server", RunTopology::server},
                                                    {"async", RunTopology::async}}};
constexpr NameTable<Transport, 2> kTransports = {
    {{"threads", Transport::threads}, {"mpi", Transport::mpi}}};
constexpr NameTable<Split, 2> kSplits = {{{"test", Split::test}, {"valid", Split::valid}}};

}  // namespace

std::string_view to_string(RunTopology topology) {
  return name_in(kTopologies, topology);
}
std::string_view to_string(Transport transport) {
  return name_in(kTransports, transport);
}
std::string_view to_string(Split split) {
  return name_in(kSplits, split);
}

RunTopology parse_run_topology(std::string_view name) {
  return value_in(kTopologies, "topology", name);
}
Transport parse_transport(std::string_view name) {
  return value_in(kTransports, "transport", name);
}
Split parse_split(std::string_view name) {
  return value_in(kSplits, "split", name);
}

void add_data_flags(CommandLine& command_line, RunConfig& c) {
  command_line.flag("--model", c.model, "mlp, lenet, resnet20, resnet18, lstm:hidden=650")
      .flag("--data", c.data, "fashion-mnist, cifar10, images, kjv, text:path=...");
}

void add_training_flags(CommandLine& command_line, RunConfig& c) {
  command_line.flag("--workers", c.workers, "number of workers, each with a replica of the model")
      .flag("--topology", c.topology, "local, ring, server or async")
      .flag("--servers", c.servers, "number of parameter server shards")
      .flag("--all-reduce", c.all_reduce, "ring, tree, halving, or auto (the fastest)")
      .flag("--aggregate", c.aggregate, "mean; robust: median, trimmed:f=1, krum:f=1")
      .flag("--optimizer", c.optimizer, "sgd:momentum=0.9, adam, ... [depends on compressor]")
      .flag("--lr", c.lr, "learning rate [depends on compressor]")
      .flag("--weight-decay-on", c.weight_decay_on,
            "all, or matrices (no biases, no normalisation)")
      .flag("--schedule", c.schedule, "constant, step, linear, cosine; e.g. linear:warmup=1")
      .flag("--local-steps", c.local_steps, "average models every N steps; 0: average gradients")
      .flag("--local-after", c.local_after, "the first N steps exchange gradients instead")
      .flag("--outer", c.outer, "outer optimizer; DiLoCo: sgd:momentum=0.9,nesterov")
      .flag("--outer-lr", c.outer_lr, "learning rate of --outer [1: average the models]")
      .flag("--batch", c.batch, "samples per worker and step")
      .flag("--epochs", c.epochs, "passes over the training data")
      .flag("--steps", c.steps, "number of steps, instead of --epochs; 0: --epochs")
      .flag("--seed", c.seed, "seed of all random numbers")
      .flag("--threads", c.threads, "threads; 0: one per core (many workers or mpi: 1)")
      .flag("--partition", c.partition, "iid, shared, by-label:K or by-class:0-4/5-9")
      .flag("--exact-convolution", c.exact_convolution,
            "never use Winograd: slower, smaller rounding errors")
      .flag("--non-finite", c.non_finite, "at NaN, inf: abort, skip_step, zero or drop_worker")
      .flag("--max-skipped", c.max_skipped, "abort after N skipped steps in a row; 0: never")
      .flag("--evaluate", c.evaluate, kEvaluateHelp)
      .flag("--eval-every", c.eval_every, "evaluate every N epochs; 0: only at the end")
      .flag("--eval-steps", c.eval_steps, "evaluate every N steps; 0: --eval-every decides")
      .flag("--network", c.network, "modelled network: 10gbe, 1gbe, wan or 10Gbps,20us")
      .flag("--compute", c.compute, "declared compute time per step, e.g. 5ms [measured]")
      .flag("--bucket-mb", c.bucket_mb, "MB per bucket, sent during backward [no buckets]")
      .flag("--attack", c.attack, "by the last workers: sign-flip:workers=1, die:at=9")
      .flag("--on-failure", c.on_failure, "when a worker dies: abort, or continue without it")
      .flag("--deadline", c.deadline, "stalled wait, seconds; 0: no limit [30; async: 300]");
}

std::chrono::milliseconds deadline(const RunConfig& c) {
  const double seconds = c.deadline.value_or(c.is_async() ? 300 : 30);
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(1e3 * seconds)));
}

bool may_shrink(const RunConfig& c) {
  return c.on_failure == OnFailure::go_on || c.non_finite == NonFinite::drop_worker;
}

double bucket_bytes(const RunConfig& c) {
  return 1e6 * c.bucket_mb.value_or(0);
}

TopologyOptions topology_options(const RunConfig& c) {
  TopologyOptions options{.kind = parse_topology(c.topology.name()),
                          .workers = static_cast<int>(c.workers),
                          .servers = static_cast<int>(c.servers),
                          .all_reduce = c.all_reduce.value()};
  if (c.network) {
    const auto network = parse_network(*c.network);
    options.link = {.latency = network.latency, .bytes_per_second = network.bits_per_second / 8};
  }
  return options;
}

std::unique_ptr<Compressor> make_run_compressor(const RunConfig& c, const StepProbes& probes) {
  auto stages =
      make_compressor(c.compressor, [&probes](std::unique_ptr<Compressor> stage, bool decorator) {
        for (const auto& probe : probes) stage = probe->around_stage(std::move(stage), decorator);
        return stage;
      });
  // An asynchronous server applies pushes one by one.
  auto chain = c.is_async() ? std::move(stages)
                            : with_aggregation(parse_aggregation(c.aggregate), topology_options(c),
                                               std::move(stages));
  for (const auto& probe : probes) chain = probe->around_chain(std::move(chain));
  return chain;
}

nlohmann::json to_json(const RunConfig& c) {
  nlohmann::json json = {{"model", c.model},
                         {"data", c.data},
                         {"workers", c.workers},
                         {"transport", c.transport.name()},
                         {"topology", c.topology.name()},
                         {"servers", c.servers},
                         {"all_reduce", c.all_reduce.name()},
                         {"compressor", make_compressor(c.compressor)->spec()},
                         {"aggregate", c.aggregate},
                         {"optimizer", make_update_rule(c.optimizer)->spec()},
                         {"lr", c.lr.value_or(0)},
                         {"schedule", c.schedule},
                         {"batch", c.batch},
                         {"epochs", c.epochs},
                         {"steps", c.steps},
                         {"seed", c.seed},
                         {"threads", c.threads},
                         {"isa", isa_name(isa())},
                         {"float_products", kernels::describe_products()},
                         {"partition", c.partition},
                         {"exact_convolution", c.exact_convolution},
                         {"non_finite", c.non_finite.name()},
                         {"max_skipped", c.max_skipped},
                         {"attack", c.attack},
                         {"on_failure", c.on_failure.name()},
                         {"local_steps", c.local_steps},
                         {"local_after", c.local_after},
                         {"outer", make_update_rule(c.outer)->spec()},
                         {"outer_lr", c.outer_lr.value_or(1)},
                         {"measure", c.measure.name()},
                         {"check_laws", c.check_laws.name()},
                         {"network", c.network ? nlohmann::json(*c.network) : nlohmann::json()},
                         {"compute", c.compute ? nlohmann::json(*c.compute) : nlohmann::json()},
                         {"bucket_mb", c.bucket_mb.value_or(0)},
                         {"deadline_seconds", 1e-3 * static_cast<double>(deadline(c).count())},
                         {"evaluate", c.evaluate.name()},
                         {"eval_every", c.eval_every},
                         {"eval_steps", c.eval_steps},
                         {"checkpoint_every", c.checkpoint_every},
                         {"record", c.record ? nlohmann::json(*c.record) : nlohmann::json()},
                         {"init", c.init ? nlohmann::json(*c.init) : nlohmann::json()}};
  if (c.is_async()) json["async"] = to_json(c.async);
  return json;
}

namespace {

// Reads the values of an object by key.
class Reader {
 public:
  explicit Reader(const nlohmann::json& json) : json_(json) {}

  template <class T>
  T get(const char* key) const {
    const auto found = json_.find(key);
    check(found != json_.end(), "configuration: expected a value {}; there is none", key);
    constexpr bool kWhole = std::is_integral_v<T> && !std::is_same_v<T, bool>;
    try {
      if (!kWhole || found->is_number_integer()) return found->get<T>();
    } catch (const nlohmann::json::exception&) {  // it has another type
    }
    throw Error(fmt::format("configuration: {}: expected {}; got {}", key,
                            kWhole ? "a whole number" : "a value of another type",
                            json_text(*found)));
  }
  template <class T>
  void read(const char* key, T& value) const {
    value = get<T>(key);
  }
  template <auto kParse>
  void read(const char* key, Choice<kParse>& value) const {
    value = get<std::string>(key);
  }
  template <class T>
  void read(const char* key, std::optional<T>& value) const {  // null: none
    if (json_.contains(key) && json_[key].is_null()) return;
    value = get<T>(key);
  }

 private:
  const nlohmann::json& json_;
};

}  // namespace

RunConfig config_from_json(const nlohmann::json& json) {
  RunConfig c;
  const Reader in(json);
  in.read("model", c.model);
  in.read("data", c.data);
  in.read("workers", c.workers);
  in.read("transport", c.transport);
  in.read("topology", c.topology);
  in.read("servers", c.servers);
  in.read("all_reduce", c.all_reduce);
  in.read("compressor", c.compressor);
  in.read("aggregate", c.aggregate);
  in.read("optimizer", c.optimizer);
  in.read("lr", c.lr);
  in.read("schedule", c.schedule);
  in.read("batch", c.batch);
  in.read("epochs", c.epochs);
  in.read("steps", c.steps);
  in.read("seed", c.seed);
  in.read("partition", c.partition);
  in.read("exact_convolution", c.exact_convolution);
  in.read("non_finite", c.non_finite);
  in.read("max_skipped", c.max_skipped);
  in.read("attack", c.attack);
  in.read("on_failure", c.on_failure);
  in.read("local_steps", c.local_steps);
  in.read("local_after", c.local_after);
  if (c.local_steps > 0) {
    in.read("outer", c.outer);
    in.read("outer_lr", c.outer_lr);
  }
  in.read("measure", c.measure);
  // Runs of the first versions do not have these keys.
  if (json.contains("check_laws")) in.read("check_laws", c.check_laws);
  if (json.contains("record")) in.read("record", c.record);
  if (json.contains("evaluate")) in.read("evaluate", c.evaluate);
  if (json.contains("eval_steps")) in.read("eval_steps", c.eval_steps);
  in.read("network", c.network);
  in.read("compute", c.compute);
  in.read("bucket_mb", c.bucket_mb);
  in.read("deadline_seconds", c.deadline);
  in.read("eval_every", c.eval_every);
  in.read("checkpoint_every", c.checkpoint_every);
  in.read("init", c.init);
  if (!c.is_async()) return c;
  const auto async = in.get<nlohmann::json>("async");
  check(async.is_object(), "configuration: async: expected an object");
  const Reader in_async(async);
  in_async.read("server_rule", c.async.server_rule);
  in_async.read("staleness", c.async.staleness);
  in_async.read("clock", c.async.clock);
  in_async.read("durations", c.async.durations);
  in_async.read("speeds", c.async.speeds);
  in_async.read("delays", c.async.delays);
  in_async.read("sparse_pulls", c.async.sparse_pulls);
  return c;
}

nlohmann::json read_config_file(const std::filesystem::path& folder) {
  const auto bytes = read_file(folder / kConfigFile);
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  auto json = nlohmann::json::parse(text, text + bytes.size(), nullptr, false);
  check(json.is_object(), "'{}': expected a JSON object", (folder / kConfigFile).string());
  return json;
}

}  // namespace terse::run
