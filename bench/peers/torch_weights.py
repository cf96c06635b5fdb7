#!/usr/bin/env python3
"""Exchanges weights of models with tersegrad by safetensors files, and compares the logits.

usage: torch_weights.py write FOLDER           writes PyTorch's models, inputs and logits
       torch_weights.py compare OURS THEIRS    compares the logits of both directions

bench/weights_against_pytorch runs both, and build/release/bin/weights_peer, whose source lists the files.

  ours -> PyTorch   load_state_dict(strict=True) loads the weights that `weights_peer write OURS` wrote.
                    PyTorch computes the logits of the same inputs.
  PyTorch -> ours   `write` made models with PyTorch's initial values, trained for three steps. `weights_peer
                    run THEIRS` loaded them strictly and computed the logits. The weights that it has saved
                    again are those of PyTorch, to the bit.

The difference is the largest |ours - PyTorch's| of a logit, divided by PyTorch's largest |logit|. More than
1e-5 is a failure. Exit code 1 on failure.
"""
import collections
import json
import pathlib
import struct
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

INPUTS, TIME, VOCABULARY, LIMIT = 10, 20, 1000, 1e-5
TYPES = {"F32": torch.float32, "I64": torch.int64}


def read_tensors(file):
    data = pathlib.Path(file).read_bytes()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, entry in json.loads(data[8:start]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        values = torch.frombuffer(bytearray(data[start + begin:start + end]), dtype=TYPES[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"])
    return tensors


def write_tensors(file, tensors):
    names = {dtype: name for name, dtype in TYPES.items()}
    header, data = {}, b""
    for name, tensor in tensors.items():
        values = tensor.detach().numpy().tobytes()
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    pathlib.Path(file).write_bytes(struct.pack("<Q", len(text)) + text + data)


def lenet():
    return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut.add_module("conv", nn.Conv2d(inputs, outputs, 1, stride, bias=False))
            self.shortcut.add_module("bn", nn.BatchNorm2d(outputs))

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.shortcut(x))


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*(BasicBlock(16, 16, 1) for _ in range(3)))
        self.layer2 = nn.Sequential(BasicBlock(16, 32, 2), BasicBlock(32, 32, 1), BasicBlock(32, 32, 1))
        self.layer3 = nn.Sequential(BasicBlock(32, 64, 2), BasicBlock(64, 64, 1), BasicBlock(64, 64, 1))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.linear(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


class LanguageModel(nn.Module):
    def __init__(self, embedding, hidden, tied):
        super().__init__()
        self.encoder = nn.Embedding(VOCABULARY, embedding)
        self.dropout = nn.Dropout(0.2)
        self.rnn = nn.LSTM(embedding, hidden, 2, dropout=0.2)
        self.decoder = nn.Linear(hidden, VOCABULARY)
        if tied:
            self.decoder.weight = self.encoder.weight

    def forward(self, ids):
        return self.decoder(self.dropout(self.rnn(self.dropout(self.encoder(ids)))[0]))


def images(*shape):
    return lambda count: torch.randn(count, *shape)


def texts(count):
    return torch.randint(0, VOCABULARY, (TIME, count))


# Name -> function that makes the model, function that makes inputs.
MODELS = {
    "lenet": (lenet, images(1, 28, 28)),
    "resnet20": (ResNet20, images(3, 32, 32)),
    "lstm_tied": (lambda: LanguageModel(200, 200, tied=True), texts),
    "lstm": (lambda: LanguageModel(120, 200, tied=False), texts),
}


def logits_of(model, x):
    model.eval()
    with torch.no_grad():
        return model(x)


def write(folder):
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    for name, (make, inputs) in MODELS.items():
        model = make()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            logits = model(inputs(16))
            logits = logits.flatten(0, -2)
            optimizer.zero_grad()
            F.cross_entropy(logits, torch.randint(0, logits.shape[1], (len(logits),))).backward()
            optimizer.step()
        x = inputs(INPUTS)
        write_tensors(folder / f"{name}.safetensors", model.state_dict())
        write_tensors(folder / f"{name}.input.safetensors", {"input": x})
        write_tensors(folder / f"{name}.torch.safetensors", {"logits": logits_of(model, x)})


def check_names(name, found, expected):
    if found.keys() != expected.keys():
        sys.exit(f"torch_weights.py: {name}: expected tensors {sorted(expected)}; got {sorted(found)}")


def difference(name, ours, theirs):
    if ours.shape != theirs.shape:
        sys.exit(f"torch_weights.py: {name}: expected logits {tuple(theirs.shape)}; got {tuple(ours.shape)}")
    ours, theirs = ours.double(), theirs.double()
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def compare(ours, theirs):
    rows, failures = [], []
    for name, (make, _) in MODELS.items():
        weights = read_tensors(ours / f"{name}.safetensors")
        model = make()
        model.load_state_dict(weights, strict=True)
        logits = logits_of(model, read_tensors(ours / f"{name}.input.safetensors")["input"])
        stored = read_tensors(ours / f"{name}.logits.safetensors")["logits"]
        rows.append((name, "ours -> PyTorch", len(weights), difference(name, stored, logits)))
    for name in MODELS:
        weights = read_tensors(theirs / f"{name}.safetensors")
        saved = read_tensors(theirs / f"{name}.saved.safetensors")
        check_names(name, saved, weights)
        for key, value in weights.items():  # tersegrad does not count batches: it writes 0
            expected = torch.zeros_like(value) if key.endswith("num_batches_tracked") else value
            if not torch.equal(saved[key], expected):
                failures.append(f"{name}: {key} is not the tensor that PyTorch wrote")
        stored = read_tensors(theirs / f"{name}.logits.safetensors")["logits"]
        logits = read_tensors(theirs / f"{name}.torch.safetensors")["logits"]
        rows.append((name, "PyTorch -> ours", len(weights), difference(name, stored, logits)))
    print(f"PyTorch {torch.__version__}\n{'model':<11}{'direction':<17}{'tensors':>7}{'largest difference':>20}")
    for name, direction, tensors, largest in rows:
        print(f"{name:<11}{direction:<17}{tensors:>7}{largest:>20.1e}")
        if not largest <= LIMIT:  # also if it is NaN
            failures.append(f"{name}, {direction}: expected a difference of at most {LIMIT}; got {largest:.1e}")
    if failures:
        sys.exit("\n".join(f"torch_weights.py: {text}" for text in failures))


if __name__ == "__main__":
    command, *folders = sys.argv[1:] or [""]
    folders = [pathlib.Path(folder) for folder in folders]
    if command == "write" and len(folders) == 1:
        write(*folders)
    elif command == "compare" and len(folders) == 2:
        compare(*folders)
    else:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
