// Trained models as ONNX files, which other inference engines run.
//
// A file computes what the model computes in evaluation mode: BatchNorm2d uses its running
// statistics, and Dropout is left out. Initializers have the names of the parameters and buffers,
// which are PyTorch's. Values are float32.
//
//   image models      input  (batch, channels, height, width)
//                     logits (batch, classes)
//   language models   ids    (time, batch), int64
//                     h0, c0 (layers, batch, hidden): the state before the text; zeros to begin
//                     logits (time, batch, vocabulary): of the tokens that follow
//                     hn, cn (layers, batch, hidden): the state after the text
//
// `batch` and `time` are free when the file is run. Operators are those of opset 13.
#pragma once

#include <filesystem>

#include "tersegrad/nn/language_model.hpp"
#include "tersegrad/nn/models.hpp"

namespace terse::nn {

// Writes a model of Sequential, Linear, Conv2d, BatchNorm2d, MaxPool2d, AvgPool2d, GlobalAvgPool2d,
// ReLU, Tanh, Sigmoid, Flatten, Dropout, BasicBlock and Resnet atomically. Runs the model once, on
// an image of zeros. Throws Error if a layer has another type (the error names the layer's path),
// if the model does not map images of the task to logits of its classes, and if the file cannot be
// written.
void export_onnx(Layer& model, const ImageTask& task, const std::filesystem::path& file);

// Writes a language model atomically. The gates of LSTM weights are reordered from i, f, g, o to
// ONNX's i, o, f, g, and `rnn.bias_l0` is bias_ih_l0 followed by bias_hh_l0.
void export_onnx(LanguageModel& model, const std::filesystem::path& file);

}  // namespace terse::nn
