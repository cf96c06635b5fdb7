"""Records the data of the lecture on PowerSGD."""
from matrices import energy, first_q, gradient, power_step, read_weights, singular_values
from programs import rounded, training

FILLING = "explain powersgd:rank=1 --shape 4x6 --seed {}"
STEP = "train --topology local --optimizer sgd --lr {} --schedule constant --eval-every 0 --steps {}"
RATE = 0.1
BYTES = "bytes --shapes resnet18 --steps 1 --workers {}"
METHODS = ["none", "fp16", "natural", "qsgd:bits=4", "terngrad", "vote:beta=0.9", "sign+ef", "ssdm:beta=0.9",
           "topk:ratio=0.01+ef", "topk:ratio=0.001+ef", "randomk:ratio=0.01+ef", "powersgd:rank=1+ef",
           "powersgd:rank=2+ef", "powersgd:rank=4+ef"]
GATHERED_MATRICES = ["atomo:rank=2", "svd:rank=2"]
RUNS = [("none", "none", None, True, True)]
RUNS += [(f"rank {rank}", f"powersgd:rank={rank}+ef", rank, True, True) for rank in (1, 2, 4, 8)]
RUNS += [(f"rank {rank}, cold start", f"powersgd:rank={rank},warm=false+ef", rank, False, True) for rank in (1, 2, 4)]
RUNS += [(f"rank {rank}, no error feedback", f"powersgd:rank={rank}", rank, True, False) for rank in (1, 2, 4)]


def filling(programs):
    workers = [{"input": rounded(programs.json(FILLING.format(seed))["input"], 5)} for seed in (1, 2)]
    return {"command": FILLING.format(1), "shape": [4, 6], "workers": workers}


def spectra(programs):
    """Singular values of the mean gradient at three moments, and what PowerSGD keeps of it.

    A plain step with a constant rate is x_t+1 = x_t - rate * gradient, so two checkpoints give the gradient."""
    moments = []
    for step in (4,) if programs.smoke else (20, 400, 1400):
        weights = [read_weights(programs.train(STEP.format(RATE, step + more))[2] / "checkpoint.safetensors")
                   for more in range(2 if programs.smoke else 5)]
        moments.append({"step": step, "tensors": [tensor(name, weights) for name in weights[0]
                                                  if not programs.smoke or name != "7.weight"]})
    return {"command": STEP.format(RATE, 400), "rate": RATE, "moments": moments}


def tensor(name, weights):
    steps = [gradient(before[name], after[name], RATE) for before, after in zip(weights, weights[1:])]
    values = singular_values(steps[-1])
    total = sum(value * value for value in values)
    rows, columns, kept = len(steps[-1]), len(steps[-1][0]), []
    for rank in range(1, min(8, rows, columns) + 1):
        q = first_q(columns, rank)
        cold = energy(power_step(steps[-1], q)) / total
        for each in steps:
            q = power_step(each, q)
        kept.append(rounded([cold, energy(q) / total], 3))
    return {"name": name, "rows": rows, "columns": columns, "values": rounded(values[:24], 4),
            "total": rounded(total, 6), "powersgd": kept}


def bytes_sent(programs):
    methods = METHODS[:3] if programs.smoke else METHODS
    shapes = "--shapes lenet" if programs.smoke else "--shapes resnet18"
    line = BYTES.replace("--shapes resnet18", shapes) + "".join(f" --method {spec}" for spec in methods)
    counts = (2, 4) if programs.smoke else (2, 4, 8)
    found = [(workers, programs.json(line.format(workers))) for workers in counts]
    rows = [{"method": spec, "packet": int(found[0][1]["methods"][i]["message_bytes"]),
             "sent": [each["methods"][i]["bytes_sent_per_worker"] for _, each in found]}
            for i, spec in enumerate(methods)]
    if not programs.smoke:
        rows += [large_packet(programs, spec) for spec in GATHERED_MATRICES]
    return {"command": BYTES.format(4), "workers": list(counts), "parameters": found[0][1]["parameters"],
            "methods": rows}


def large_packet(programs, spec):
    """The packet of a method whose singular value decompositions take long: counted with one worker."""
    found = programs.json(f"bytes --shapes resnet18 --steps 1 --workers 1 --topology local --method {spec}")
    return {"method": spec, "packet": int(found["methods"][0]["message_bytes"]), "sent": None}


def real_training(programs):
    length = "--steps 50" if programs.smoke else "--epochs 3"
    common = f"train {length} --optimizer sgd:momentum=0.9 --lr 0.05"
    runs = [{"rank": rank, "warm": warm, "feedback": feedback,
             **training(programs, name, f"{common} --compressor {spec}")}
            for name, spec, rank, warm, feedback in (RUNS[:2] if programs.smoke else RUNS)]
    return {"command": f"{common} --compressor powersgd:rank=2+ef", "runs": runs}


def record(programs):
    return {"filling": filling(programs), "spectra": spectra(programs), "bytes": bytes_sent(programs),
            "training": real_training(programs)}
