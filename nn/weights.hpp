// Weights of models in safetensors files, by the names that PyTorch's state_dict has.
//
// A file has the parameters and buffers of the model with their shapes, as F32. PyTorch writes and
// reads it by safetensors.torch.save_file and load_file. The names agree for models of the same
// structure: "0.weight" in a Sequential, "rnn.weight_ih_l0" in an LSTM. PyTorch's BatchNorm also
// has a number `num_batches_tracked`, which it uses only for momentum=None: `save` writes it as 0,
// and `load` ignores it. A tensor with two names, such as the tied weight of a language model, has
// both in the file; `load` needs one of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tersegrad/nn/module.hpp"

namespace terse::nn {

// Writes the file atomically. Throws Error with the file's name if it cannot be written.
void save(Module& model, const std::filesystem::path& file);

// The same arrays in NumPy's format.
void save_npz(Module& model, const std::filesystem::path& file);

// The names in which a file and a model differ.
struct NameDifference {
  std::vector<std::string> missing;     // of the model, not in the file
  std::vector<std::string> unexpected;  // in the file, not of the model
};

enum class NameCheck : std::uint8_t { strict, lenient };

// Overwrites the model's parameters and buffers with the arrays of the file, which may have the
// types F32 and F64. Throws Error if the file is damaged, an array has another shape or type, or,
// if strict, names differ; the error lists all of them. The model then keeps its values.
NameDifference load(Module& model, const std::filesystem::path& file,
                    NameCheck check = NameCheck::strict);

}  // namespace terse::nn
