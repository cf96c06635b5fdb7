// The float matrix product by shape: our implementation at every SIMD level of the CPU, OpenBLAS
// with the kernels that it selects and with those of other CPUs, and the FMA peak, in one run.
//
//   bench_gemm [--threads=2] [--shape=lstm] [--core=Cooperlake,Haswell] [--rounds=9]
//
// The columns are GFLOP/s, medians over the rounds; in each round, the columns of a shape are
// measured in turn. OpenBLAS reads OPENBLAS_CORETYPE when it is loaded, so the kernels of other
// CPUs are measured in child processes. With one thread, the time is the CPU time of the thread,
// which depends less on other processes.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "bench/multiply_add.hpp"
#include "tersegrad/core/kernels/gemm/blas_gemm.hpp"
#include "tersegrad/core/kernels/gemm/choice.hpp"
#include "tersegrad/core/kernels/gemm/own_gemm.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/simd/isa.hpp"

namespace terse::kernels {
namespace {

struct Options {
  int threads = 1, rounds = 9;
  std::string shape, cores, only_blas;
};

struct Size {
  const char* name;
  std::int64_t m, n, k;
  bool ta, tb;
  float beta;
};
constexpr Size kSizes[] = {
    {"512^3", 512, 512, 512, false, false, 0},
    {"1024^3", 1024, 1024, 1024, false, false, 0},
    {"lstm x W^T", 960, 2600, 650, false, true, 0},
    {"lstm dx", 960, 650, 2600, false, false, 0},
    {"lstm dW", 2600, 650, 960, true, false, 0},
    {"logits", 960, 10'000, 650, false, true, 0},
    {"logits dx", 960, 650, 10'000, false, false, 0},
    {"logits dW", 10'000, 650, 960, true, false, 0},
    {"lstm h W^T", 32, 2600, 650, false, true, 1},
    {"lstm dh", 32, 650, 2600, false, false, 1},
    {"fc1", 64, 120, 400, false, true, 1},
    {"fc1 dx", 64, 400, 120, false, false, 0},
    {"fc1 dW", 120, 400, 64, true, false, 1},
    {"fc2", 64, 84, 120, false, true, 1},
    {"fc2 dx", 64, 120, 84, false, false, 0},
    {"fc2 dW", 84, 120, 64, true, false, 1},
    {"fc3", 64, 10, 84, false, true, 1},
    {"fc3 dx", 64, 84, 10, false, false, 0},
    {"fc3 dW", 10, 84, 64, true, false, 1},
    {"resnet fc", 32, 10, 512, false, true, 1},
    {"resnet fc dx", 32, 512, 10, false, false, 0},
    {"resnet fc dW", 10, 512, 32, true, false, 1},
};

double seconds(int threads) {
  timespec t;
  clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double median(std::vector<double> x) {
  std::ranges::sort(x);
  return x[x.size() / 2];
}

struct Operands {
  explicit Operands(const Size& z)
      : size(z), a(values(z.m * z.k)), b(values(z.k * z.n)), c(values(z.m * z.n)) {}
  static std::vector<float> values(std::int64_t count) {
    std::vector<float> x(static_cast<std::size_t>(count));
    std::uint32_t state = 1;
    for (float& value : x) {
      state = state * 1664525U + 1013904223U;
      value = static_cast<float>(state >> 8) * 0x1p-24F - 0.5F;
    }
    return x;
  }
  Product product() {
    return {.m = size.m,
            .n = size.n,
            .k = size.k,
            .a = {a.data(), size.ta ? size.m : size.k, size.ta},
            .b = {b.data(), size.tb ? size.k : size.n, size.tb},
            .packed_b = {},
            .alpha = 1,
            .beta = size.beta,
            .c = c.data(),
            .c_stride = size.n};
  }
  void own() { own_gemm(product()); }
  void blas() {
    const auto transpose = [](bool yes) { return yes ? Transpose::yes : Transpose::no; };
    blas_gemm(transpose(size.ta), transpose(size.tb), size.m, size.n, size.k, a.data(), b.data(),
              size.beta, c.data(), 1);
  }

  Size size;
  std::vector<float> a, b, c;
};

// GFLOP/s of one round, which makes about 3 GFLOP.
double rate(const Size& z, int threads, const std::function<void()>& run) {
  const double operations = 2e-9 * static_cast<double>(z.m * z.n * z.k);
  const auto calls = std::max<std::int64_t>(1, static_cast<std::int64_t>(3 / operations));
  run();
  const double start = seconds(threads);
  for (std::int64_t i = 0; i < calls; ++i) run();
  return operations * static_cast<double>(calls) / (seconds(threads) - start);
}

// One round with the OpenBLAS kernels of another CPU, in a child process.
double rate_of_core(const std::string& core, const Size& z, int threads) {
  const std::string program = "/proc/" + std::to_string(getpid()) + "/exe";
  const std::string command = fmt::format("OPENBLAS_CORETYPE={} {} --threads={} --only-blas='{}'",
                                          core, program, threads, z.name);
  const std::unique_ptr<FILE, int (*)(FILE*)> child(popen(command.c_str(), "r"), pclose);
  double value = 0;
  if (child == nullptr || std::fscanf(child.get(), "%lf", &value) != 1) return 0;
  return value;
}

double peak(int threads) {
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    double operations = 0;
    const double start = seconds(threads);
    parallel_for(threads, 1, [&](std::int64_t p, std::int64_t) {
      const double of_thread = multiply_add();
      if (p == 0) operations = of_thread * threads;
    });
    best = std::max(best, 1e-9 * operations / (seconds(threads) - start));
  }
  return best;
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  std::istringstream stream(list);
  for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
  return parts;
}

struct Column {
  std::string title;
  std::function<double(Operands&)> rate;
};

std::vector<Column> columns(const Options& options) {
  std::vector<Column> all;
  const int threads = options.threads;
  for (const Isa level : available_isas()) {
    all.push_back({std::string(isa_name(level)), [=](Operands& x) {
                     force_isa(isa_name(level));
                     return rate(x.size, threads, [&] { x.own(); });
                   }});
  }
  all.push_back({std::string(blas_core()),
                 [=](Operands& x) { return rate(x.size, threads, [&] { x.blas(); }); }});
  for (const std::string& core : split(options.cores)) {
    all.push_back({core, [=](Operands& x) { return rate_of_core(core, x.size, threads); }});
  }
  return all;
}

void print_table(const Options& options) {
  const std::vector<Column> all = columns(options);
  fmt::print("{}; {} threads; GFLOP/s\n{:36}", describe_products(), options.threads, "m x n x k");
  for (const Column& column : all) fmt::print(" {:>11}", column.title);
  fmt::print("\n");
  std::vector<double> peaks(available_isas().size());
  for (const Size& z : kSizes) {
    if (std::string(z.name).find(options.shape) == std::string::npos) continue;
    Operands x(z);
    for (std::size_t i = 0; i < peaks.size(); ++i) {
      force_isa(isa_name(available_isas()[i]));
      peaks[i] = std::max(peaks[i], peak(options.threads));
    }
    std::vector<std::vector<double>> rates(all.size());
    for (int round = 0; round < options.rounds; ++round)
      for (std::size_t i = 0; i < all.size(); ++i) rates[i].push_back(all[i].rate(x));
    fmt::print("{:13} {:5} x{:6} x{:6} {}{}", z.name, z.m, z.n, z.k, z.ta ? 'T' : 'N',
               z.tb ? 'T' : 'N');
    for (const auto& r : rates) fmt::print(" {:11.1f}", median(r));
    fmt::print("\n");
    std::fflush(stdout);
  }
  fmt::print("{:36}", "peak of FMAs, best of all rounds");
  for (const double p : peaks) fmt::print(" {:11.0f}", p);
  fmt::print("\n");
}

bool take(const std::string& argument, const std::string& flag, std::string& value) {
  if (!argument.starts_with("--" + flag + "=")) return false;
  value = argument.substr(flag.size() + 3);
  return true;
}

int run(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string value;
    if (take(argv[i], "threads", value)) {
      options.threads = std::atoi(value.c_str());
    } else if (take(argv[i], "rounds", value)) {
      options.rounds = std::atoi(value.c_str());
    } else if (!take(argv[i], "shape", options.shape) && !take(argv[i], "core", options.cores) &&
               !take(argv[i], "only-blas", options.only_blas)) {
      fmt::print(stderr,
                 "bench_gemm: expected --threads=, --rounds=, --shape= or --core=; got {}\n",
                 argv[i]);
      return 2;
    }
  }
  set_thread_count(options.threads);
  if (options.only_blas.empty()) {
    print_table(options);
    return 0;
  }
  for (const Size& z : kSizes) {
    if (z.name != options.only_blas) continue;
    Operands x(z);
    fmt::print("{}\n", rate(z, options.threads, [&] { x.blas(); }));
  }
  return 0;
}

}  // namespace
}  // namespace terse::kernels

int main(int argc, char** argv) {
  return terse::kernels::run(argc, argv);
}
