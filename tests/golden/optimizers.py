#!/usr/bin/python3
"""Trajectories of torch.optim, for tests/optim/optimizer_golden_test.cpp to follow.

  apt-get install python3-torch                                       (PyTorch 1.13)
  /usr/bin/python3 tests/golden/optimizers.py > tests/golden/optimizers.json

"given": 12 steps on gradients that are in the file, with exact zeros and changes of sign; the values
after each step. "quadratic": 200 steps on f(x) = sum_i curvature_i / 2 (x_i - target_i)^2, whose
gradient follows the values; the values after every 20th step.
"""
import json
import sys

import torch

torch.set_num_threads(1)
optim, clip_norm, clip_value = (
    torch.optim, torch.nn.utils.clip_grad_norm_, torch.nn.utils.clip_grad_value_)

START = [1.0, -2.0, 0.5, 0.0, 3.0, -0.25, 0.125]
CURVATURE = [1.0, 0.5, 2.0, 0.1, 1.5, 0.25, 4.0]
TARGET = [0.0, 1.0, -1.0, 0.5, 2.5, 0.0, 0.25]

# What C++ is asked for, lr, and the same of PyTorch.
CASES = [
    ("sgd", 0.1, optim.SGD, {}),
    ("sgd:weight_decay=0.3", 0.1, optim.SGD, dict(weight_decay=0.3)),
    ("sgd:momentum=0.9", 0.1, optim.SGD, dict(momentum=0.9)),
    ("sgd:momentum=0.9,dampening=0.3", 0.1, optim.SGD, dict(momentum=0.9, dampening=0.3)),
    ("sgd:momentum=0.9,nesterov,weight_decay=0.01", 0.1, optim.SGD,
     dict(momentum=0.9, nesterov=True, weight_decay=0.01)),
    ("adam", 0.05, optim.Adam, {}),
    ("adam:beta1=0.8,beta2=0.95,eps=0.001", 0.02, optim.Adam, dict(betas=(0.8, 0.95), eps=1e-3)),
    ("adam:weight_decay=0.1", 0.05, optim.Adam, dict(weight_decay=0.1)),
    ("adam:amsgrad,beta2=0.9", 0.05, optim.Adam, dict(amsgrad=True, betas=(0.9, 0.9))),
    ("adamw", 0.05, optim.AdamW, {}),
    ("adamw:weight_decay=0.5,amsgrad,beta2=0.9", 0.05, optim.AdamW,
     dict(weight_decay=0.5, amsgrad=True, betas=(0.9, 0.9))),
    ("rmsprop", 0.02, optim.RMSprop, {}),
    ("rmsprop:alpha=0.9,eps=0.01,weight_decay=0.1", 0.02, optim.RMSprop,
     dict(alpha=0.9, eps=0.01, weight_decay=0.1)),
    ("rmsprop:momentum=0.8", 0.02, optim.RMSprop, dict(momentum=0.8)),
    ("rmsprop:centered", 0.02, optim.RMSprop, dict(centered=True)),
    ("rmsprop:centered,momentum=0.5", 0.02, optim.RMSprop, dict(centered=True, momentum=0.5)),
    ("adagrad", 0.1, optim.Adagrad, {}),
    ("adagrad:lr_decay=0.1,weight_decay=0.2", 0.1, optim.Adagrad,
     dict(lr_decay=0.1, weight_decay=0.2)),
    ("adagrad:eps=0.1,initial_accumulator=0.5", 0.1, optim.Adagrad,
     dict(eps=0.1, initial_accumulator_value=0.5)),
    ("adadelta", 1.0, optim.Adadelta, {}),
    ("adadelta:rho=0.8,eps=0.001,weight_decay=0.1", 0.5, optim.Adadelta,
     dict(rho=0.8, eps=1e-3, weight_decay=0.1)),
    ("rprop", 0.01, optim.Rprop, {}),
    ("rprop:eta_minus=0.3,eta_plus=1.5,step_min=0.005,step_max=0.03", 0.01, optim.Rprop,
     dict(etas=(0.3, 1.5), step_sizes=(0.005, 0.03))),
    ("sgd:momentum=0.9+clip:norm=0.25", 0.1, optim.SGD, dict(momentum=0.9, norm=0.25)),
    ("adam+clip:norm=1.5", 0.05, optim.Adam, dict(norm=1.5)),
    ("sgd:weight_decay=0.1+clip:value=0.3", 0.1, optim.SGD, dict(weight_decay=0.1, value=0.3)),
    ("sgd+clip:norm=0.5+clip:value=0.3", 0.1, optim.SGD, dict(value=0.3, norm=0.5)),
]


def given_gradients():
    generator = torch.Generator().manual_seed(1)
    scale = torch.tensor([1.0, 0.3, 2.0, 1.0, 0.01, 1.0, 0.5])
    gradients = torch.randn(12, 7, generator=generator) * scale
    gradients[:4, 3] = 0  # a parameter that nothing reaches at first
    gradients[5:7, 0] = 0  # and one that nothing reaches for two steps
    gradients[:, 5] = gradients[:, 5].abs() * torch.tensor([1, -1] * 6)  # every sign changes
    gradients[:, 6] = gradients[:, 6].abs()  # none does
    gradients[7] *= 0.01  # below every norm to clip at
    gradients[8] = 0
    return (gradients * 1000).round() / 1000


def trajectory(case, steps, gradient):
    """The values after each step; gradient(step, values) gives all seven."""
    _, lr, make, options = case
    options = dict(options)
    value, norm = options.pop("value", None), options.pop("norm", None)
    # Two tensors: PyTorch's norm is that of all of them.
    parameters = [torch.nn.Parameter(part.clone()) for part in torch.tensor(START).split([3, 4])]
    optimizer = make(parameters, lr=lr, **options)
    rows = []
    for step in range(steps):
        whole = gradient(step, torch.cat([p.detach() for p in parameters]))
        for p, part in zip(parameters, whole.split([3, 4])):
            p.grad = part.clone()
        if value is not None:
            clip_value(parameters, value)
        if norm is not None:
            clip_norm(parameters, norm)
        optimizer.step()
        rows.append(torch.cat([p.detach() for p in parameters]).tolist())
    return rows


def text(rows):
    """Nine digits name a float."""
    return "[" + ",\n   ".join(
        "[" + ", ".join(f"{value:.9g}" for value in row) + "]" for row in rows) + "]"


def main():
    given = given_gradients()
    curvature, target = torch.tensor(CURVATURE), torch.tensor(TARGET)
    out = sys.stdout
    out.write('{"torch": %s,\n "start": %s,\n "curvature": %s,\n "target": %s,\n' % tuple(
        json.dumps(value) for value in (torch.__version__, START, CURVATURE, TARGET)))
    out.write(' "gradients": %s,\n "cases": [' % text(given.tolist()))
    for number, case in enumerate(CASES):
        spec, lr = case[:2]
        follow = trajectory(case, len(given), lambda step, values: given[step])
        quadratic = trajectory(case, 200, lambda step, values: curvature * (values - target))
        out.write('%s\n  {"spec": %s, "lr": %s,\n  "given":\n   %s,\n  "quadratic":\n   %s}' % (
            "," if number else "", json.dumps(spec), lr, text(follow), text(quadratic[19::20])))
    out.write("]}\n")


if __name__ == "__main__":
    main()
