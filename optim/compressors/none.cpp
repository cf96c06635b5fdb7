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

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    up.start(header_for(round, number_, PacketKind::up, grads.size()),
             static_cast<std::size_t>(count(grads)) * sizeof(float));
    auto values = up.floats();
    for (const auto& grad : grads) {
      kernels::copy_to(grad.data, values.first(grad.data.size()));
      values = values.subspan(grad.data.size());
    }
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
    auto values = expect_floats(sum, count(out));
    const float workers = expect_weight(sum);
    for (const auto& view : out) {
      kernels::divide_to(values.first(view.data.size()), workers, view.data);
      values = values.subspan(view.data.size());
    }
  }

  std::uint16_t number_;
};

}  // namespace

std::unique_ptr<Compressor> make_none(std::uint16_t number, Options&, std::unique_ptr<Compressor>) {
  return std::make_unique<None>(number);
}

}  // namespace terse
