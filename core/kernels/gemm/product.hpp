// A stride is the distance between two rows in memory. With strides a product can describe a block
// of rows and columns of a larger one.
#pragma once

#include <cstdint>

namespace terse::kernels {

struct Operand {
  const float* data;
  std::int64_t stride;
  bool transposed;  // element (i, t) of op(X) is data[t * stride + i], else data[i * stride + t]

  const float* at(std::int64_t i, std::int64_t t) const {
    return data + (transposed ? t * stride + i : i * stride + t);
  }
};

// op(B) in the order in which tiles read it (pack-inl.hpp). `data` is null if op(B) is not packed.
struct PackedColumns {
  const float* data = nullptr;
  std::int64_t columns = 0;  // of the whole B, rounded up to whole vectors
  std::int64_t first = 0;    // the first column of the product
};

struct Product {
  std::int64_t m, n, k;
  Operand a, b;  // b is not read if packed_b.data is set
  PackedColumns packed_b;
  float alpha, beta;  // if beta is 0, C is not read
  float* c;
  std::int64_t c_stride;

  // The product of rows [i, i + rows) and columns [j, j + columns) of C.
  Product block(std::int64_t i, std::int64_t rows, std::int64_t j, std::int64_t columns) const {
    Product part = *this;
    part.m = rows;
    part.n = columns;
    part.a.data = a.at(i, 0);
    if (packed_b.data == nullptr) part.b.data = b.at(0, j);
    part.packed_b.first += j;
    part.c = c + i * c_stride + j;
    return part;
  }
};

}  // namespace terse::kernels
