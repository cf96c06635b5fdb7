// No compression: the gradient itself.
//
//   worker:    send g
//   exchange:  s = sum of all g
//   worker:    mean = s / workers
//
// Payload: the values of all tensors, 4 d bytes. Time: one copy.
// Source: the all-reduce of ordinary data-parallel SGD; the yardstick of every other method.
#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {
namespace {

class None final : public OnePhaseLinear {
 public:
  explicit None(std::uint16_t number) : number_(number) {}

  std::string spec() const override { return "none"; }
  Traits traits(std::uint64_t) const override { return {.linear = true}; }
  bool uncompressed() const override { return true; }
  bool is_contraction() const override { return true; }
  std::optional<double> contraction(std::uint64_t, std::span<const GradView>) const override {
    return 1;
  }
  std::optional<double> variance(std::uint64_t, std::span<const GradView>) const override {
    return 0;
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    auto payload = start_packet(round, number_, grads.size(), count(grads), up);
    for (const auto& g : grads) kernels::copy_to(g.data, payload.next_floats(g.data.size()));
  }

  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView> shape) const override {
    FieldList list(up);
    for (const auto& view : shape) list.floats("values " + shape_text(view), std::ssize(view.data));
    return list.take();
  }

 private:
  void mean(const Round& round, const Packet& sum, std::span<const GradView> out) const override {
    sum.expect(number_, round.phase, out.size());
    PayloadReader s(sum, count(out));
    const float workers = expect_contributors(sum);
    for (const auto& view : out) {
      kernels::divide_to(s.next_floats(view.data.size()), workers, view.data);
    }
  }

  std::uint16_t number_;
};

}  // namespace

std::unique_ptr<Compressor> make_none(std::uint16_t number, Options&, std::unique_ptr<Compressor>) {
  return std::make_unique<None>(number);
}

}  // namespace terse
