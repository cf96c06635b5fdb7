"""Records the data of the lecture on signSGD and majority votes."""
from programs import rounded, training

PACKET = "explain vote --shape 4x6"
DENSITY = "train --compressor vote:beta=0.9 --measure density --epochs 3"
VOTES = "rosenbrock --batch 4 --noise 1 --workers {} --repeat {}"
VALLEY = "descend --problem counterexample --steps {}"
RUNS = [("uncompressed", "none"), ("vote", "vote:beta=0.9"), ("sign, error feedback", "sign+ef")]


def packet(programs):
    found = programs.json(PACKET)
    (only,) = found["packets"]
    return {"command": PACKET, "input": rounded(found["input"]), "decoded": found["decoded"],
            "bytes": only["bytes"].replace(" ", ""), "payload_bytes": found["payload_bytes"],
            "bits": [field for field in only["fields"] if field["name"] == "sign bits"][0]["text"]}


def density(programs):
    result, _, _ = programs.train(DENSITY.replace("--epochs 3", "--steps 6") if programs.smoke else DENSITY)
    return {"command": DENSITY, "parameters": result["parameters"], "epochs": [
        {"epoch": one["epoch"], "gradient": rounded(one["density"][0]["density_mean"], 3),
         "noise": rounded(one["density"][0]["density_noise"], 3)} for one in result["densities"]]}


def votes(programs):
    repeat = 1 if programs.smoke else 10
    runs = []
    for workers in (1, 3) if programs.smoke else (1, 3, 5, 9, 15, 27):
        command = VOTES.format(workers, repeat)
        found = programs.json(command)
        method = found["methods"][0 if workers == 1 else -1]
        points = method["points"]
        runs.append({"workers": workers, "command": command, "method": method["method"],
                     "points": [[one["step"], rounded(one["f"]), rounded(one["p_correct"], 3)] for one in points]})
    return {"command": VOTES.format(9, repeat), "runs": runs}


def counterexample(programs):
    command = VALLEY.format(2000 if programs.smoke else 100000)
    found = programs.json(command)
    return {"command": command, "methods": [
        {"method": one["method"], "gradient": rounded(one["gradient"], 2), "verdict": one["verdict"]}
        for one in found["methods"]]}


def real_training(programs):
    length = "--steps 50" if programs.smoke else "--epochs 6"
    return {"command": f"train {length} --compressor vote:beta=0.9",
            "runs": [training(programs, name, f"train {length} --compressor {spec}") for name, spec in RUNS]}


def record(programs):
    return {"packet": packet(programs), "density": density(programs), "votes": votes(programs),
            "counterexample": counterexample(programs), "training": real_training(programs)}
