"""The PyTorch installations of this machine, and how to run the scripts of bench/peers with them."""
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Raised malloc thresholds, which users can set to reduce page faults.
RAISED = {"MALLOC_MMAP_THRESHOLD_": "1000000000", "MALLOC_TRIM_THRESHOLD_": "1000000000"}


class Installation:
    def __init__(self, python, scripts):
        self.python, self.scripts = python, scripts

    def run(self, script, *arguments, raised=False):
        """What the script prints, with or without raised malloc thresholds."""
        return subprocess.run([*self.python, f"{self.scripts}/{script}", *map(str, arguments)], check=True,
                              capture_output=True, text=True,
                              env={**os.environ, **(RAISED if raised else {})}).stdout

    def version(self):
        """For instance "2.6.0"; None if this Python finds no PyTorch."""
        found = subprocess.run([*self.python, "-c", "import torch; print(torch.__version__)"],
                               capture_output=True, text=True)
        return found.stdout.strip().split("+")[0] if found.returncode == 0 else None


def installations(debian13=None):
    """Installations by version: Debian's package, and that of Debian 13 in the folder `debian13`."""
    found = [Installation(["/usr/bin/python3"], ROOT / "bench/peers")]
    if debian13:
        found.append(Installation([str(ROOT / "bench/peers/debian13"), debian13, "python3"], "/peers"))
    return {version: each for each in found if (version := each.version())}


def add_debian13(parser):
    parser.add_argument("--debian13", metavar="FOLDER",
                        help="also run the PyTorch of Debian 13 in FOLDER, which is created if it is missing")


def require(found, program):
    if not found:
        raise SystemExit(f"{program}: PyTorch is not installed: apt-get install python3-torch, or give "
                         "--debian13 FOLDER")
