"""Records the data of the lecture on stale gradients and sparse pushes."""
import json

from programs import rounded, shown, training

SMALL = "--data synthetic:size=14,train=1000,test=100 --topology async --eval-every 0 --lr 0.001"
HISTOGRAM = "train " + SMALL + " --model mlp:hidden=4 --batch 1 --workers {} --durations {} --steps {}"
QUEUES = ("train " + SMALL + " --model mlp:hidden=200 --workers {} --steps 400 --network 100mbps --compute 5ms"
          " --compressor {}")
LAWS = [("constant", "constant"), ("Erlang", "erlang:k=4"), ("exponential", "exponential"),
        ("Pareto", "pareto:alpha=2.5")]
PUSHES = [("dense", "none"), ("top 1 %", "topk:ratio=0.01+ef"),
          ("top 1 %, sparse pulls", "topk:ratio=0.01+ef --sparse-pulls")]
SWEEP = "staleness --workers {} {}"
METHODS = ["synchronous", "asynchronous", "staleness-aware", "top 10 %, memory", "top 1 %, memory"]
MEMORY = "train --topology async --workers 16 --model mlp:hidden=64 --epochs 1 --lr 0.125 --compressor {}"


def histograms(programs):
    steps = 500 if programs.smoke else 40000
    runs = []
    for name, law in LAWS[:1] if programs.smoke else LAWS:
        for workers in (2,) if programs.smoke else (1, 2, 4, 8, 16, 32):
            command = HISTOGRAM.format(workers, law, steps)
            found = programs.json(command)
            runs.append({"law": name, "workers": workers, "command": command, "mean": rounded(found["mean_staleness"]),
                         "most": found["max_staleness"], "histogram": cut(found["staleness_histogram"], 6 * workers)})
    return {"command": HISTOGRAM.format(8, "exponential", steps), "pushes": steps, "runs": runs}


def cut(histogram, most):
    """Returns [staleness, pushes] up to `most`; the last row has all pushes beyond it."""
    kept = [row for row in histogram if row[0] <= most]
    beyond = sum(count for staleness, count in histogram if staleness > most)
    return kept + ([[most + 1, beyond]] if beyond else [])


def queues(programs):
    runs = []
    for name, spec in PUSHES[:1] if programs.smoke else PUSHES:
        for workers in (2,) if programs.smoke else (1, 2, 4, 8, 16):
            command = QUEUES.format(workers, spec)
            found = programs.json(command)
            parts = found["virtual_milliseconds_per_step"]
            runs.append({"pushes": name, "workers": workers, "command": command,
                         "push_bytes": found["message_bytes"], "seconds": rounded(found["virtual_seconds"], 3),
                         "compute": rounded(parts["compute"], 3), "exchange": rounded(parts["exchange"], 3),
                         "mean": rounded(found["mean_staleness"], 3)})
    return {"command": QUEUES.format(8, PUSHES[2][1]), "runs": runs}


def memory(programs):
    runs = []
    specs = [("dense", "none", None, False)]
    specs += [(f"top {ratio * 100:g} %{', memory' if kept else ''}",
               f"topk:ratio={ratio}{'+ef' if kept else ''}", ratio, kept)
              for ratio in (0.1, 0.01, 0.001) for kept in (True, False)]
    for name, spec, ratio, kept in specs[:2] if programs.smoke else specs:
        command = MEMORY.format(spec)
        runs.append({"ratio": ratio, "memory": kept, **training(
            programs, name, command.replace("--epochs 1", "--steps 50") if programs.smoke else command)})
    return {"command": MEMORY.format("topk:ratio=0.01+ef"), "runs": runs}


def sweep(programs):
    """Runs the program staleness. Its folder has every run, the table only the best rates."""
    methods = METHODS[1:2] if programs.smoke else METHODS
    flags = " ".join(f"--method {name.replace(' ', '~')}" for name in methods)
    command = SWEEP.format("2" if programs.smoke else "1,4,16,64", flags)
    out = programs.new_folder()
    line = command + (" --data synthetic:train=640,test=100 --low -6 --high -5" if programs.smoke else "")
    cells = programs.json(f"{line} --out {out}")["cells"]
    lines = [json.loads(line) for line in (out / "runs.jsonl").read_text().splitlines()]
    return {"command": shown(command), "cells": [
        {"method": one["method"], "workers": one["workers"], "accuracy": rounded(one["test_accuracy"]),
         "best_rate": one["best_rate"], "stable_rate": one["largest_stable_rate"], "push_bytes": one["message_bytes"],
         "staleness": rounded(one["mean_staleness"], 3)} for one in cells],
        "rates": [[one["method"], one["workers"], one["exponent"], rounded(one.get("accuracy"))]
                  for one in lines if "exponent" in one]}


def record(programs):
    return {"histograms": histograms(programs), "queues": queues(programs), "memory": memory(programs),
            "sweep": sweep(programs)}
