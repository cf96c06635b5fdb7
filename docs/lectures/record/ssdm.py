"""Records the data of the lecture on stochastic sign descent."""
from programs import rounded, training

MARGINS = "rosenbrock --batch {} --noise 1 --workers 1 --repeat {}"
DRAW = "explain stochastic_sign --shape 2x4"
MEDIAN = "descend --problem median --steps {}"
RUNS = [("uncompressed", "none", ""), ("sign, error feedback", "sign+ef", ""), ("SSDM", "ssdm:beta=0.9", " --lr 0.01"),
        ("vote", "vote:beta=0.9", "")]


def batches(programs):
    """Returns the share of right signs on the path of signSGD, by batch."""
    runs = []
    for batch in (1, 2) if programs.smoke else (1, 2, 4, 8, 16, 64):
        command = MARGINS.format(batch, 1 if programs.smoke else 10)
        points = programs.json(command)["methods"][0]["points"]
        runs.append({"batch": batch, "command": command, "points": [
            [one["step"], rounded(one["f"]), rounded(one["p_correct"], 3), rounded(one["least_margin"], 3)]
            for one in points]})
    return {"command": MARGINS.format(4, 1 if programs.smoke else 10), "runs": runs}


def draw(programs):
    found = programs.json(DRAW)
    return {"command": DRAW, "input": rounded(found["input"]), "decoded": rounded(found["decoded"]),
            "payload_bytes": found["payload_bytes"]}


def median(programs):
    command = MEDIAN.format(2000 if programs.smoke else 100000)
    found = programs.json(command)
    return {"command": command, "methods": [
        {"method": one["method"], "gradient": rounded(one["gradient"], 2), "f": rounded(one["f"], 3),
         "verdict": one["verdict"]} for one in found["methods"]]}


def partitioned(programs):
    """Trains on images sorted by label, and on images in random order."""
    length = "--steps 50" if programs.smoke else "--epochs 2"
    runs = []
    for partition in ("iid", "by-label:2"):
        for name, spec, rate in RUNS:
            command = f"train {length} --partition {partition} --compressor {spec}{rate}"
            runs.append({"partition": partition, **training(programs, name, command)})
    return {"command": f"train {length} --partition by-label:2 --compressor ssdm:beta=0.9 --lr 0.01", "runs": runs}


def record(programs):
    return {"batches": batches(programs), "draw": draw(programs), "median": median(programs),
            "partitioned": partitioned(programs)}
