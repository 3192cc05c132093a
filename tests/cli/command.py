"""The command, in this process and by a shell, and the photo that it is tried on."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import convkit as ck
from convkit import cli

PHOTO = np.random.default_rng(23).integers(0, 256, (20, 30, 3), np.uint8)


def run(capsys, *argv):
    """Status, output and errors of the command in this process."""
    try:
        status = cli.main(argv)
    except SystemExit as leaving:  # argparse's way out
        status = leaving.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def by_shell(*argv, **environment):
    command = [sys.executable, "-m", "convkit", *argv]
    environment = {**os.environ, "PYTHONPATH": str(Path(ck.__file__).parents[1]), **environment}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in Path(folder).rglob("*") if p.is_file())
