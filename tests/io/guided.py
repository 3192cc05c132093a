"""`imread` under atheris, which is led by the branches that an input takes in the readers of headers.

    pip install atheris
    python tests/io/guided.py --count 100000

It starts from whole files of every format. A crash, an exception that is not ours, ten seconds or more than
the cap of memory end it, with the input left in the current folder. It is a script and no test.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["convkit.io"]):
    import convkit as ck
import samples

MAX_PIXELS = 2_000_000
MEGABYTES = 512
"""Of the whole process, which takes a third of it before the first input."""
SECONDS = 10
LONGEST = 20_000


def read(data: bytes) -> None:
    """One input, in the mode that its length draws."""
    mode = ("unchanged", "color", "gray")[len(data) % 3]
    try:
        image = ck.imread(data, mode, max_pixels=MAX_PIXELS)
    except ck.ConvkitError:
        return
    assert image.ndim in (2, 3)
    assert image.size


def main() -> None:
    """Run; the process ends with 0 where nothing went wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus, room = Path(folder, "corpus"), Path(folder, "room")
        corpus.mkdir()
        room.mkdir()
        small = [data for data, _ in samples.build_corpus(room).values()]
        for i, data in enumerate([*small, *samples.build_larger(room).values()]):
            (corpus / str(i)).write_bytes(data)
        flags = {
            "runs": chosen.count,
            "seed": chosen.seed,
            "rss_limit_mb": MEGABYTES,
            "timeout": SECONDS,
            "max_len": LONGEST,
            "len_control": 0,  # not the short ones first
            "print_final_stats": 1,
            "close_fd_mask": 2,  # what codecs say
        }
        arguments = [f"-{name}={value}" for name, value in flags.items()]
        atheris.Setup([sys.argv[0], *arguments, str(corpus)], read)
        atheris.Fuzz()


if __name__ == "__main__":
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    main()
