// Files in NumPy's .npy format: one array of numbers with its shape.
//
//   "\x93NUMPY", version 1.0, u16 length of the header, the header (the text of a Python
//   dictionary), the values
//
// numpy.load(file) is the array.
// Source: numpy.lib.format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tersegrad/core/safetensors.hpp"

namespace terse {

// What precedes the values in a file. Its length is a multiple of 64. Throws Error, naming `file`,
// if the array's type is BF16, which NumPy does not have, or its data do not fit its shape.
std::string npy_header(const ArrayToWrite& array, const std::string& file);

// Writes the array atomically. Throws Error as npy_header does, and if the file cannot be written.
void write_npy(const std::filesystem::path& file, const ArrayToWrite& array);

struct FloatArray {
  std::vector<std::int64_t> shape;
  std::vector<float> values;  // as many as the product of the shape
};
// Reads an array of float32 values. Throws Error with the file if it cannot be read, is cut, or
// holds values of another type or order.
FloatArray read_npy(const std::filesystem::path& file);

}  // namespace terse
