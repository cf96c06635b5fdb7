#!/usr/bin/python3
"""Checks ONNX files by ONNX's own checker, and compares initializers with the model's weights.

usage: tests/onnx/check_models.py FOLDER     (needs Debian's python3-onnx; FOLDER: write_models)

The checker verifies the structure of a file, the version of every operator, and by inference of
shapes that values fit together. NumPy reads the weights.
"""
import pathlib
import sys
import zipfile

import numpy
import onnx
from onnx import numpy_helper


def shape_of(value):
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


def in_onnx_order(weight):
    """Gates i, f, g, o -> i, o, f, g."""
    gates = weight.reshape(4, -1, *weight.shape[1:])
    return gates[[0, 3, 1, 2]].reshape(weight.shape)


def check_weights(graph, weights):
    used = set()
    for tensor in graph.initializer:
        stored = numpy_helper.to_array(tensor)
        name = tensor.name
        if name == "rnn/direction_axis":
            continue
        if name.startswith("rnn.bias_l"):
            names = [name.replace("bias_", "bias_ih_"), name.replace("bias_", "bias_hh_")]
            expected = numpy.concatenate([in_onnx_order(weights[n]) for n in names])[None]
        elif name.startswith("rnn.weight"):
            names = [name]
            expected = in_onnx_order(weights[name])[None]
        else:
            names = [name]
            expected = weights[name]
        assert stored.dtype == numpy.float32 and numpy.array_equal(stored, expected), name
        assert not used.intersection(names), f"{name} is stored twice"
        used.update(names)
    assert used == set(weights.files), used.symmetric_difference(weights.files)


def main(folder):
    files = sorted(pathlib.Path(folder).glob("*.onnx"))
    assert files, f"{folder}: no .onnx file"
    for file in files:
        model = onnx.load(file)
        onnx.checker.check_model(model, full_check=True)
        assert model.ir_version == 7 and [o.version for o in model.opset_import] == [13]
        for archive in [file.with_suffix(".weights.npz"), file.with_suffix(".npz")]:
            assert zipfile.ZipFile(archive).testzip() is None
        check_weights(model.graph, numpy.load(file.with_suffix(".weights.npz")))
        values = [*model.graph.input, *model.graph.output]
        free = ["batch", "time"]
        for name, array in numpy.load(file.with_suffix(".npz")).items():
            declared = next(shape_of(v) for v in values if v.name == name.split(".")[1])
            assert len(declared) == array.ndim, name
            assert all(d in free or d == n for d, n in zip(declared, array.shape)), name
        print(f"{file.stem:16} {len(model.graph.node):3} nodes, "
              f"{len(model.graph.initializer):3} initializers:", end=" ")
        print(", ".join(f"{v.name} {tuple(shape_of(v))}" for v in values).replace("'", ""))


if __name__ == "__main__":
    main(*sys.argv[1:])
