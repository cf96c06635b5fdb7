// Files in NumPy's .npz format: named arrays of numbers with their shapes.
//
//   .npz   a zip archive without compression of one file NAME.npy for each array: local headers and
//          files; the central directory, which repeats the headers; its end
//   .npy   npy.hpp
//
// numpy.load(file)[NAME] is an array.
// Sources: numpy.lib.format; PKWARE's APPNOTE.TXT 6.3.
#pragma once

#include <filesystem>
#include <span>

#include "tersegrad/core/safetensors.hpp"

namespace terse {

// Writes the arrays in their order, atomically. Equal arrays give equal bytes, since all members
// have the date 1980-01-01. Throws Error if the file cannot be written, if an array's type is BF16,
// which NumPy does not have, or its data do not fit its shape, and if the file would have 4 GiB or
// 65 535 arrays, which need the zip64 format.
void write_npz(const std::filesystem::path& file, std::span<const ArrayToWrite> arrays);

}  // namespace terse
