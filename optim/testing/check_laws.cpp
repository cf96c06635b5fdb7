#include "tersegrad/optim/testing/check_laws.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/safetensors.hpp"
#include "tersegrad/optim/testing/law_inputs.hpp"
#include "tersegrad/optim/testing/law_statistics.hpp"
#include "tersegrad/optim/testing/state.hpp"

namespace terse {

CompressorFactory make_error_feedback;

namespace {

using Lines = std::vector<std::string>;

bool same_bytes(const Packet& a, const Packet& b) {
  return std::ranges::equal(a.bytes(), b.bytes());
}

std::size_t said_bytes(const TestExchange& exchange) {
  std::size_t bytes = 0;
  for (const auto& phase : exchange.phases()) bytes += phase.up.front().payload().size();
  return bytes;
}

// max |a - b| / max |b|, or max |a - b| if b is zero.
double relative_difference(const OwnedGradients& a, const OwnedGradients& b) {
  const auto x = flat(a), y = flat(b);
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    difference = std::max(difference, std::abs(double{x[i]} - double{y[i]}));
    size = std::max(size, std::abs(double{y[i]}));
  }
  return size > 0 ? difference / size : difference;
}

std::vector<OwnedGradients> workers_of(const std::vector<MatrixShape>& shapes, int workers,
                                       std::uint32_t step = 0) {
  std::vector<OwnedGradients> gradients;
  for (int w = 0; w < workers; ++w) {
    gradients.push_back(normal_gradients(shapes, 100 * step + static_cast<std::uint32_t>(w)));
  }
  return gradients;
}

// Replaces M by O M with the reflection O = I - 2 v v^T / |v|^2, v drawn from N(0, I).
void reflect_rows(OwnedTensor& matrix) {
  const auto v = normal_gradients({{"", matrix.rows, 1}}, matrix.id)[0].values;
  double length = 0;
  for (const float value : v) length += double{value} * value;
  for (std::int64_t j = 0; j < matrix.cols; ++j) {
    double overlap = 0;
    for (std::int64_t i = 0; i < matrix.rows; ++i) {
      overlap += v[i] / length * matrix.values[i * matrix.cols + j];
    }
    for (std::int64_t i = 0; i < matrix.rows; ++i) {
      matrix.values[i * matrix.cols + j] -= static_cast<float>(2 * overlap * v[i]);
    }
  }
}

class LawCheck {
 public:
  LawCheck(const MakeCompressor& make, const CompressorClaims& claims)
      : make_(make), claims_(claims) {}

  Lines run() {
    attempt("spec", [&] { spec(); });
    for (const auto& input : law_inputs()) {
      attempt("input " + input.name, [&] { input_law(input); });
    }
    attempt("reconstruct", [&] { reconstruction_is_decoded(); });
    attempt("read in pieces", [&] { pieces_change_nothing(); });
    attempt("error feedback", [&] { nothing_is_lost(); });
    attempt("state", [&] { state_is_complete(); });
    attempt("determinism", [&] { deterministic(); });
    attempt("buckets", [&] { buckets_change_nothing(); });
    attempt("slices", [&] { slices_change_nothing(); });
    attempt("linear", [&] { linear(); });
    attempt("permutation", [&] { permutes(); });
    attempt("rotation", [&] { rotates(); });
    attempt("reference", [&] { agrees_with_reference(); });
    attempt("contraction", [&] { contraction(); });
    attempt("unbiased", [&] { unbiased(); });
    return broken_;
  }

 private:
  template <class Law>
  void attempt(const std::string& name, Law law) {
    law_ = name;
    try {
      law();
    } catch (const std::exception& error) {
      expect(false, fmt::format("threw: {}", error.what()));
    }
  }
  void expect(bool ok, const std::string& found) {
    if (!ok) broken_.push_back(fmt::format("{}: {}", law_, found));
  }

  void spec();
  void input_law(const LawInput& input);
  void fields_have_no_gaps(Compressor& compressor, const TestExchange& exchange,
                           OwnedGradients gradients);
  void reconstruction_is_decoded();
  void pieces_change_nothing();
  void nothing_is_lost();
  void nothing_is_lost_of(const std::function<OwnedGradients(std::uint32_t)>& at_step);
  void state_is_complete();
  void deterministic();
  void buckets_change_nothing();
  void slices_change_nothing();
  void linear();
  void permutes();
  void rotates();
  void commutes_with(const std::string& name, const std::function<void(OwnedTensor&)>& change);
  void agrees_with_reference();
  void declared_error();
  void contraction();
  void unbiased();

  MakeCompressor make_;
  CompressorClaims claims_;
  std::string law_;
  Lines broken_;
};

void LawCheck::spec() {
  const auto written = make_()->spec();
  expect(!written.empty() && make_()->spec() == written, fmt::format("'{}'", written));
}

// For any shape and any values, all workers get the same result, the payload has the claimed size
// and the fields cover it.
void LawCheck::input_law(const LawInput& input) {
  for (const int workers : {1, 2, 3}) {
    TestExchange exchange(make_, workers);
    std::vector<OwnedGradients> gradients(workers, input.gradients);
    for (int step = 0; step < 2; ++step) exchange.mean(gradients);
    if (claims_.payload_bytes) {
      const auto claimed = claims_.payload_bytes(shapes_of(input.gradients));
      expect(said_bytes(exchange) == claimed,
             fmt::format("expected {} payload bytes; got {}", claimed, said_bytes(exchange)));
    }
    fields_have_no_gaps(exchange.worker(0), exchange, input.gradients);
  }
}

void LawCheck::fields_have_no_gaps(Compressor& compressor, const TestExchange& exchange,
                                   OwnedGradients gradients) {
  const auto views = views_of(gradients);
  Round round{.seed = 1, .step = exchange.next_step() - 1, .count = count(views)};
  for (const auto& phase : exchange.phases()) {
    std::size_t at = 0;
    for (const auto& field : compressor.fields(round, phase.up.front(), views)) {
      expect(field.offset == at,
             fmt::format("field {}: expected offset {}; got {}", field.name, at, field.offset));
      at += field.size;
    }
    expect(
        at == phase.up.front().payload().size(),
        fmt::format("expected fields of {} bytes; got {}", phase.up.front().payload().size(), at));
    ++round.phase;
  }
}

// With one worker, the reconstruction of its own packet equals the decoded result.
void LawCheck::reconstruction_is_decoded() {
  if (claims_.recoded) return;
  TestExchange exchange(make_, 1, {.record_reconstruction = true});
  for (std::uint32_t step = 0; step < 3; ++step) {
    const auto mean = exchange.mean(workers_of(law_shapes(), 1, step));
    expect(same_bits(exchange.own_reconstruction(), mean),
           fmt::format("step {}: the reconstruction and the decoded gradient differ", step));
  }
}

// The mean read block by block equals the mean that decode writes, for a block size (37) that is
// aligned neither to tensors nor to words.
void LawCheck::pieces_change_nothing() {
  for (const int workers : {1, 2, 5}) {
    TestExchange whole(make_, workers), pieces(make_, workers, {.read_at_once = 37});
    for (std::uint32_t step = 0; step < 3; ++step) {
      const auto gradients = workers_of(law_shapes(), workers, step);
      expect(same_bits(whole.mean(gradients), pieces.mean(gradients)),
             fmt::format("{} workers, step {}: pieces of 37 differ", workers, step));
    }
  }
}

// With error feedback and one worker: residual before + gradient = result + residual after.
void LawCheck::nothing_is_lost() {
  if (claims_.recoded) return;
  nothing_is_lost_of([](std::uint32_t step) { return normal_gradients(law_shapes(), 100 * step); });
  for (const auto& input : law_inputs()) {
    if (input.name != "zero" && input.name != "constant" && input.name != "one-hot") continue;
    nothing_is_lost_of([&](std::uint32_t) { return input.gradients; });
  }
}

void LawCheck::nothing_is_lost_of(const std::function<OwnedGradients(std::uint32_t)>& at_step) {
  const auto with_feedback = [this] {
    Options options("law", Stage{.name = "ef", .options = {{"unsafe", std::nullopt}}});
    return make_error_feedback(0, options, make_());
  };
  TestExchange exchange(with_feedback, 1);
  std::vector<float> before(flat(at_step(0)).size());
  for (std::uint32_t step = 0; step < 3; ++step) {
    const auto gradients = at_step(step);
    const auto sent = flat(exchange.mean({gradients})), gradient = flat(gradients);
    const auto after = residual_of(exchange.worker(0));
    for (std::size_t i = 0; i < sent.size(); ++i) {
      const double in = double{before[i]} + gradient[i], out = double{sent[i]} + after[i];
      const double size = std::abs(before[i]) + std::abs(gradient[i]) + std::abs(sent[i]);
      if (std::abs(in - out) <= 1e-6 * size) continue;
      expect(false,
             fmt::format("step {}, value {}: expected the sum {}; got {}", step, i, in, out));
      return;
    }
    before = after;
  }
}

// A saved and reloaded compressor has the same state and sends the same next packet.
void LawCheck::state_is_complete() {
  TestExchange old(make_, 2), fresh(make_, 2);
  for (std::uint32_t step = 0; step < 3; ++step) old.mean(workers_of(law_shapes(), 2, step));
  fresh.set_next_step(old.next_step());
  for (int w = 0; w < 2; ++w) {
    load_safetensors("saved state", saved_state(old.worker(w)),
                     [&](Archive& archive) { fresh.worker(w).serialize(archive); });
    expect(state_hash(fresh.worker(w)) == state_hash(old.worker(w)), "the loaded state differs");
  }
  const auto gradients = workers_of(law_shapes(), 2, 3);
  old.mean(gradients);
  fresh.mean(gradients);
  for (std::size_t phase = 0; phase < old.phases().size(); ++phase) {
    expect(same_bytes(old.phases()[phase].up[1], fresh.phases()[phase].up[1]),
           "the packet after loading differs");
    expect(same_bytes(old.phases()[phase].down, fresh.phases()[phase].down),
           "the down packet after loading differs");
  }
}

// The same seed gives the same bytes with any number of threads.
void LawCheck::deterministic() {
  const std::vector<MatrixShape> shapes{{"", 300, 1001}, {"", 70001, 1}};
  TestExchange one(make_, 2), other(make_, 2);
  const int threads = thread_count();
  for (std::uint32_t step = 0; step < 2; ++step) {
    const auto gradients = workers_of(shapes, 2, step);
    set_thread_count(1);
    const auto a = one.mean(gradients);
    set_thread_count(std::max(4, threads));
    const auto b = other.mean(gradients);
    expect(same_bits(a, b), "two runs differ");
    for (std::size_t phase = 0; phase < one.phases().size(); ++phase) {
      expect(same_bytes(one.phases()[phase].up[1], other.phases()[phase].up[1]),
             "two packets differ");
    }
  }
  set_thread_count(threads);
}

void LawCheck::buckets_change_nothing() {
  if (claims_.whole_model) return;
  for (const int workers : {2, 3}) {
    TestExchange whole(make_, workers), parts(make_, workers, {.bucket_per_tensor = true});
    for (std::uint32_t step = 0; step < 3; ++step) {
      const auto gradients = workers_of(law_shapes(), workers, step);
      expect(same_bits(whole.mean(gradients), parts.mean(gradients)),
             fmt::format("{} workers, step {}: tensor by tensor differs", workers, step));
    }
  }
}

void LawCheck::slices_change_nothing() {
  for (const int workers : {1, 2, 3, 4}) {
    TestExchange whole(make_, workers), slices(make_, workers, {.slice = 64});
    const auto gradients = workers_of(law_shapes(), workers);
    expect(same_bits(whole.mean(gradients), slices.mean(gradients)),
           fmt::format("{} workers: slices of 64 differ", workers));
  }
}

void LawCheck::linear() {
  const bool linear = make_()->traits(0).linear;
  expect(linear == claims_.linear,
         fmt::format("expected the trait linear={}; got {}", claims_.linear, linear));
  const bool uncompressed = make_()->uncompressed();
  expect(claims_.linear || !uncompressed,
         "the packets are uncompressed, but the compressor is not linear");
  if (!claims_.linear) return;
  TestExchange four(make_, 4), single(make_, 1);
  if (uncompressed) {  // workers that share memory add these gradients without the compressor
    const auto gradient = workers_of(law_shapes(), 1);
    expect(same_bits(single.mean(gradient), gradient.front()),
           "the packets are uncompressed, but the gradient changes");
  }
  for (std::uint32_t step = 0; step < 2; ++step) {
    const auto gradients = workers_of(law_shapes(), 4, step);
    const auto off = relative_difference(four.mean(gradients), single.mean({mean_of(gradients)}));
    expect(off < 1e-4, fmt::format("step {}: C(mean) and mean C differ by {}", step, off));
  }
}

void LawCheck::permutes() {
  if (!claims_.permutable) return;
  commutes_with("coordinates", [](OwnedTensor& tensor) {
    Philox random(1, {.purpose = Purpose::test, .tensor = tensor.id});
    for (auto i = tensor.values.size(); i > 1; --i) {
      std::swap(tensor.values[i - 1], tensor.values[random.below(i)]);
    }
  });
}

void LawCheck::rotates() {
  if (!claims_.rotatable) return;
  commutes_with("rows", [](OwnedTensor& tensor) {
    if (tensor.cols > 1)
      std::rotate(tensor.values.begin(), tensor.values.begin() + tensor.cols, tensor.values.end());
  });
  commutes_with("a reflection", [](OwnedTensor& tensor) {
    if (tensor.cols > 1) reflect_rows(tensor);
  });
}

// C(change(x)) = change(C(x)), also in later steps, when the compressor has state.
void LawCheck::commutes_with(const std::string& name,
                             const std::function<void(OwnedTensor&)>& change) {
  TestExchange straight(make_, 3), changed(make_, 3);
  for (std::uint32_t step = 0; step < 2; ++step) {
    auto gradients = workers_of(law_shapes(), 3, step);
    auto expected = straight.mean(gradients);
    std::ranges::for_each(expected, change);
    for (auto& worker : gradients) std::ranges::for_each(worker, change);
    const auto off = relative_difference(changed.mean(gradients), expected);
    expect(off < 1e-4, fmt::format("{} changed, step {}: off by {}", name, step, off));
  }
}

void LawCheck::agrees_with_reference() {
  if (!claims_.reference) return;
  for (const int workers : {1, 2, 3, 4}) {
    TestExchange exchange(make_, workers);
    const auto gradients = workers_of(law_shapes(), workers);
    const Round round{.seed = 1, .workers = static_cast<std::uint32_t>(workers)};
    const auto off =
        relative_difference(exchange.mean(gradients), claims_.reference(round, gradients));
    expect(off < 1e-5, fmt::format("{} workers: off by {}", workers, off));
  }
}

// Inputs on which the error of some compressors is largest: one value in each tensor, equal values,
// normal ones, and one value of 1 among values of 1/(sqrt(n) + 1) (TernGrad).
std::vector<OwnedGradients> worst_inputs() {
  auto one_value = zero_gradients(law_shapes()), equal_values = one_value, one_large = one_value;
  for (auto& tensor : one_value) {
    if (!tensor.values.empty()) tensor.values.back() = -2;
  }
  for (auto& tensor : equal_values) std::ranges::fill(tensor.values, 0.5F);
  for (auto& tensor : one_large) {
    const auto n = static_cast<float>(tensor.values.size());
    std::ranges::fill(tensor.values, 1 / (std::sqrt(n) + 1));
    if (!tensor.values.empty()) tensor.values.front() = 1;
  }
  return {one_value, equal_values, one_large, normal_gradients(law_shapes(), 3)};
}

// What a compressor declares about its error holds: is_contraction, contraction and variance.
void LawCheck::declared_error() {
  for (auto x : worst_inputs()) {
    const auto views = views_of(x);
    const auto compressor = make_();
    const bool contracts = compressor->is_contraction();
    const auto delta = compressor->contraction(0, views), omega = compressor->variance(0, views);
    expect(omega.has_value() == compressor->variance(0, {}).has_value(),
           "whether a variance is declared depends on the shapes");
    expect(!omega || claims_.unbiased, "declares a variance; is not claimed to be unbiased");
    if (!contracts && !delta && !omega) continue;
    const auto [mean, spread] = measured_error(make_, x);
    const double margin = 5 * spread + 1e-6 * (1 + mean);
    const auto found = fmt::format("got |x - C(x)|^2 = {} +- {} of |x|^2", mean, spread);
    expect(!contracts || mean <= 1 + margin, "declares a contraction; " + found);
    if (delta) {
      expect(*delta > 0 && *delta <= 1 && mean <= 1 - *delta + margin,
             fmt::format("declares delta = {}; {}", *delta, found));
    }
    if (omega) {
      expect(*omega >= 0 && mean <= *omega + margin,
             fmt::format("declares omega = {}; {}", *omega, found));
    }
  }
}

void LawCheck::contraction() {
  declared_error();
  if (!claims_.error) return;
  for (std::uint32_t input = 0; input < 3; ++input) {
    const auto x = normal_gradients(law_shapes(), input);
    const auto [mean, spread] = measured_error(make_, x);
    const double claimed = claims_.error(x);
    const double margin = 5 * spread + 1e-6 * claimed + 1e-12;
    expect(mean <= claimed + margin && (!claims_.error_is_exact || mean >= claimed - margin),
           fmt::format("input {}: expected an error of {}{}; got {} +- {}", input,
                       claims_.error_is_exact ? "" : "at most ", claimed, mean, spread));
  }
}

void LawCheck::unbiased() {
  if (!claims_.unbiased) return;
  const double first = largest_bias(make_, 1);
  if (first < 5) return;
  const double second = largest_bias(make_, 2);  // a second seed, to exclude a chance outlier
  expect(second < 5, fmt::format("off by {:.1f} and {:.1f} standard errors", first, second));
}

}  // namespace

std::vector<std::string> check_laws(const MakeCompressor& make, const CompressorClaims& claims) {
  return LawCheck(make, claims).run();
}

}  // namespace terse
