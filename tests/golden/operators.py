#!/usr/bin/python3
"""What PyTorch computes for every operator: forward results and gradients.

usage: tests/golden/operators.py > tests/golden/operators.json     (Debian's python3-torch, 1.13)

Inputs are not stored: input i of a case is number(i, j), j = 0, 1, …, in the case's shape, and the
gradient that backward starts from is number(9, j) in the shape of the result. tests/core/
golden_test.cpp makes the same numbers. PyTorch works in double here, so that its own rounding does
not count. Options that are no tensors stand in the case.
"""
import json
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def number(stream, j):
    """In (-1, 1), a multiple of 2^-15: the same in float and double."""
    mixed = ((j + 1) * 2654435761 + (stream + 1) * 40503 * 65537) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 15)) * 2246822519) & 0xFFFFFFFF
    return ((mixed ^ (mixed >> 13)) >> 16) / 32768.0 - 1.0


def numbers(stream, shape):
    n = 1
    for size in shape:
        n *= size
    return torch.tensor([number(stream, j) for j in range(n)]).reshape(shape)


def batch_norm(training, relu, residual):
    def f(x, gamma, beta, *rest):
        c = gamma.shape[0]
        mean, variance = numbers(5, [c]), numbers(6, [c]) ** 2 + 0.5
        y = F.batch_norm(x, mean, variance, gamma, beta, training, 0.1, 1e-5)
        y = y + rest[0] if residual else y
        # The running statistics are results too.
        return (F.relu(y) if relu else y), mean, variance
    return f


def conv(**options):
    return lambda x, w, b=None: F.conv2d(x, w, b, **options)


def lstm(layers=1, cell=False):
    """Inputs: x, h0, c0, w_ih, w_hh, b_ih, b_hh. Results: y, h, c; backward starts from all."""
    def f(x, h0, c0, w_ih, w_hh, b_ih, b_hh):
        if cell:
            h, c = torch._VF.lstm_cell(x, (h0, c0), w_ih, w_hh, b_ih, b_hh)
            return h, c
        y, h, c = torch._VF.lstm(x, (h0[None], c0[None]), [w_ih, w_hh, b_ih, b_hh], True, 1, 0.0,
                                 True, False, False)
        return y, h[0], c[0]
    f.several = True
    return f


T, N, D, H, V = 4, 3, 5, 6, 11
IDS = [3, 0, 10, 3, 3, 7]
LABELS = [1, 0, 4, 2]
LSTM = [[4 * H, D], [4 * H, H], [4 * H], [4 * H]]

# name, shapes of the inputs, the function, options that the test needs
CASES = [
    ("add", [[3, 5], [5]], lambda a, b: a + b, {}),
    ("subtract", [[3, 1], [1, 5]], lambda a, b: a - b, {}),
    ("multiply", [[2, 3, 4], [3, 1]], lambda a, b: a * b, {}),
    ("divide", [[3, 5], [3, 5]], lambda a, b: a / (b * b + 0.5), {}),
    ("exp", [[17]], torch.exp, {}),
    ("log", [[17]], lambda x: torch.log(x * x + 0.5), {}),
    ("sqrt", [[17]], lambda x: torch.sqrt(x * x + 0.5), {}),
    ("relu", [[33]], F.relu, {}),
    ("tanh", [[33]], torch.tanh, {}),
    ("sigmoid", [[33]], torch.sigmoid, {}),
    ("gelu", [[33]], F.gelu, {}),
    ("sum_1", [[3, 5, 2]], lambda x: x.sum(1), {}),
    ("mean_0", [[3, 5]], lambda x: x.mean(0), {}),
    ("max_1", [[3, 7, 2]], lambda x: x.max(1)[0], {}),
    ("slice", [[6, 3]], lambda x: x[2:5], {}),
    ("concat_1", [[2, 3], [2, 4]], lambda a, b: torch.cat([a, b], 1), {}),
    ("matmul", [[7, 9], [9, 5]], torch.matmul, {}),
    ("matmul_tt", [[9, 7], [5, 9]], lambda a, b: a.T @ b.T, {}),
    ("linear", [[6, 33], [10, 33], [10]], F.linear, {}),
    ("conv2d", [[2, 1, 12, 12], [6, 1, 5, 5], [6]], conv(padding=2), dict(stride=1, padding=2)),
    ("conv2d", [[2, 6, 9, 8], [5, 6, 5, 5], [5]], conv(), dict(stride=1, padding=0)),
    ("conv2d", [[2, 5, 9, 9], [7, 5, 3, 3]], conv(stride=2, padding=1), dict(stride=2, padding=1)),
    ("conv2d", [[2, 5, 9, 9], [7, 5, 1, 1]], conv(stride=2), dict(stride=2, padding=0)),
    ("conv2d", [[1, 2, 10, 11], [3, 2, 4, 2], [3]], conv(stride=3, padding=2),
     dict(stride=3, padding=2)),
    ("conv2d", [[2, 16, 7, 9], [16, 16, 3, 3]], conv(padding=1), dict(stride=1, padding=1)),
    ("conv2d", [[1, 24, 5, 5], [16, 24, 3, 3], [16]], conv(padding=1), dict(stride=1, padding=1)),
    ("conv2d", [[2, 4, 6, 6], [6, 2, 3, 3], [6]], conv(padding=1, groups=2),
     dict(stride=1, padding=1, groups=2)),
    ("conv2d", [[2, 5, 7, 6], [5, 1, 3, 3], [5]], conv(padding=1, stride=2, groups=5),
     dict(stride=2, padding=1, groups=5)),
    ("max_pool2d", [[2, 3, 8, 8]], lambda x: F.max_pool2d(x, 2), dict(kernel=2, stride=2, padding=0)),
    ("max_pool2d", [[2, 2, 9, 7]], lambda x: F.max_pool2d(x, 3, 2, 1),
     dict(kernel=3, stride=2, padding=1)),
    ("avg_pool2d", [[2, 2, 9, 7]], lambda x: F.avg_pool2d(x, 3, 2, 1),
     dict(kernel=3, stride=2, padding=1)),
    ("global_avg_pool2d", [[2, 3, 5, 4]], lambda x: x.mean((2, 3)), {}),
    ("batch_norm2d", [[3, 4, 5, 3], [4], [4]], batch_norm(True, False, False),
     dict(training=True, relu=False)),
    ("batch_norm2d", [[3, 4, 5, 3], [4], [4], [3, 4, 5, 3]], batch_norm(True, True, True),
     dict(training=True, relu=True)),
    ("batch_norm2d", [[3, 4, 5, 3], [4], [4]], batch_norm(False, True, False),
     dict(training=False, relu=True)),
    ("layer_norm", [[4, 19], [19], [19]], lambda x, g, b: F.layer_norm(x, [19], g, b), {}),
    ("softmax", [[4, 9]], lambda x: F.softmax(x, -1), {}),
    ("log_softmax", [[4, 9]], lambda x: F.log_softmax(x, -1), {}),
    ("cross_entropy", [[4, 5]], lambda x: F.cross_entropy(x, torch.tensor(LABELS)),
     dict(labels=LABELS, reduction="mean")),
    ("cross_entropy", [[4, 5]], lambda x: F.cross_entropy(x, torch.tensor(LABELS), reduction="sum"),
     dict(labels=LABELS, reduction="sum")),
    ("linear_cross_entropy", [[4, 7], [5, 7], [5]],
     lambda x, w, b: F.cross_entropy(F.linear(x, w, b), torch.tensor(LABELS)),
     dict(labels=LABELS, reduction="mean")),
    ("embedding", [[V, D]], lambda w: F.embedding(torch.tensor(IDS), w), dict(ids=IDS)),
    ("tied", [[V, D], [D, D]],
     lambda w, a: F.linear(torch.tanh(F.embedding(torch.tensor(IDS), w) @ a), w), dict(ids=IDS)),
    ("lstm", [[T, N, D], [N, H], [N, H]] + LSTM, lstm(), {}),
    ("lstm", [[1, 1, D], [1, H], [1, H]] + LSTM, lstm(), {}),
    ("lstm_cell", [[N, D], [N, H], [N, H]] + LSTM, lstm(cell=True), {}),
]


def rounded(tensor):
    return [float(f"{v:.7g}") for v in tensor.detach().reshape(-1).tolist()]


def run(name, shapes, f, options):
    inputs = [numbers(i, shape).requires_grad_() for i, shape in enumerate(shapes)]
    result = f(*inputs)
    results = list(result) if isinstance(result, tuple) else [result]
    # Running statistics depend on no input; everything else is a start of backward.
    started = results if getattr(f, "several", False) else results[:1]
    torch.autograd.backward(started, [numbers(9 + i, r.shape) for i, r in enumerate(started)])
    return {"operator": name, "shapes": shapes, "options": options,
            "results": [rounded(r) for r in results],
            "gradients": [rounded(i.grad) for i in inputs]}


def main():
    cases = [run(*case) for case in CASES]
    sys.stdout.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")


if __name__ == "__main__":
    main()
