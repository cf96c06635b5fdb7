// What both forms of PowerSGD have in common: which tensors they factor, and fresh columns.
#include <cmath>
#include <vector>

#include "optim/compressors/payload.hpp"
#include "optim/compressors/powersgd.hpp"
#include "optim/kernels/low_rank.hpp"
#include "optim/kernels/vector.hpp"

namespace terse::powersgd {

bool compressed(const GradView& view, double floats, double min_rate) {
  return is_matrix(view) &&
         (min_rate == 0 || floats * min_rate < static_cast<double>(view.data.size()));
}

void draw(const Round& round, std::uint64_t step, const GradView& view, std::span<float> columns) {
  const Stream stream{
      .purpose = Purpose::compress, .step = static_cast<std::uint32_t>(step), .tensor = view.id};
  codec::fill_normal(Philox(round.seed, stream), columns);
}

void redraw_lost_columns(const Round& round, const GradView& view, std::int64_t length,
                         std::span<float> columns) {
  std::vector<float> fresh;
  const auto n = static_cast<std::size_t>(length);
  for (std::size_t at = 0; at < columns.size(); at += n) {
    const auto column = columns.subspan(at, n);
    const double size = codec::sum_of_squares(column);
    if (size > 0 && std::isfinite(size)) continue;
    fresh.resize(columns.size());
    draw(round, round.step + 1, view, fresh);
    codec::copy_to(std::span(fresh).subspan(at, n), column);
  }
}

}  // namespace terse::powersgd
