"""Runs the project's programs for the lectures and rounds what they print."""
import json
import math
import pathlib
import subprocess
import tempfile


class Failed(Exception):
    """A program ended with an error."""


class Programs:
    """The built programs. With `smoke`, trainings take few steps on synthetic images, for CI."""

    def __init__(self, folder, smoke):
        self.folder, self.smoke = pathlib.Path(folder), smoke
        self.scratch = tempfile.TemporaryDirectory()

    def output(self, command):
        """Runs `command`, such as "explain sign", and returns its standard output. "~" is a space within a word."""
        name, *arguments = command.split(" ")
        arguments = [argument.replace("~", " ") for argument in arguments]
        if not (self.folder / name).exists():
            raise Failed(f"{self.folder / name} does not exist; build it with "
                         f"`cmake --build build/release --target {name}`, or name the programs' folder with --bin")
        run = subprocess.run([str(self.folder / name), *arguments], capture_output=True, text=True)
        if run.returncode != 0:
            raise Failed(f"{command}: exit code {run.returncode}: {run.stderr.strip()}")
        return run.stdout

    def json(self, command):
        """Returns the JSON object that `command` prints as its last line."""
        return json.loads(self.output(command + " --json").splitlines()[-1])

    def new_folder(self):
        return pathlib.Path(tempfile.mkdtemp(dir=self.scratch.name))

    def train(self, command):
        """Trains by `command`. Returns the result and the lines of the log."""
        out = self.new_folder() / "run"
        if self.smoke:
            command += " --data synthetic:train=640,test=100"
        result = self.json(f"{command} --out {out}")
        return result, [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()], out


def shown(command):
    """Returns the command as a reader types it into a shell."""
    words = command.split(" ")
    return " ".join(f'"{word.replace("~", " ")}"' if "~" in word else word for word in words)


def rounded(value, digits=4):
    """Returns `value`, a number or a list, to `digits` significant digits."""
    if isinstance(value, (list, tuple)):
        return [rounded(each, digits) for each in value]
    if isinstance(value, dict):
        return {key: rounded(each, digits) for key, each in value.items()}
    if not isinstance(value, float) or value == 0 or not math.isfinite(value):
        return value
    number = float(f"{value:.{digits}g}")
    return int(number) if number.is_integer() and abs(number) < 1e15 else number


def losses(log):
    """Returns the points [step, mean training loss since the point before, bytes sent by a worker]."""
    return [[line["step"], rounded(line["loss"], 4), line["bytes_sent"]] for line in log if "lr" in line]


def training(programs, name, command):
    """Trains once and returns what figures of a training run show."""
    result, log, _ = programs.train(command)
    return {"name": name, "command": shown(command), "points": losses(log),
            "accuracy": [[one["step"], rounded(one["test_accuracy"]), one["bytes_sent_per_worker"]]
                         for one in result["evaluations"]],
            "packet_bytes": result["message_bytes"], "steps": result["steps"]}
