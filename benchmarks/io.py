"""`python -m benchmarks io`: `imread` beside `cv2.imdecode` of the same bytes, on one thread."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import convkit as ck
from benchmarks.table import Table
from benchmarks.timing import interleaved, interval

SIZES = ((512, 512), (1080, 1920), (2160, 3840))
KINDS = (
    (".jpg", np.uint8, {}),
    (".png", np.uint8, {}),
    (".png", np.uint16, {}),
    (".webp", np.uint8, {}),
    (".tiff", np.uint8, {"compression": "lzw"}),
    (".tiff", np.uint16, {"compression": "lzw"}),
    (".tiff", np.uint8, {"compression": "deflate"}),
    (".tiff", np.uint8, {"compression": "none"}),
    (".tiff", np.uint16, {"compression": "none"}),
    (".bmp", np.uint8, {}),
    (".ppm", np.uint8, {}),
    (".pfm", np.float32, {}),
)
ABOUT = """\
`imread` beside `cv2.imdecode(…, IMREAD_UNCHANGED)` of the same bytes, on one thread, by
`python -m benchmarks io`. Medians of rounds in which they take turns. "more": what `imread` of bytes takes
more, within a round, with the 95 % interval of its median; "from a path": what it takes more when it also
reads them from a file that is in memory. Looking whether a file is whole costs 0.02 to 0.2 ms."""


def main(rounds: int, heights: list[int], output: Path | None) -> None:
    """Measure every size and kind; print milliseconds and what `imread` takes more, and write where asked."""
    import tempfile

    import cv2
    from matplotlib.cbook import get_sample_data

    cv2.setNumThreads(1)
    table = Table("io", ("image", "imread, ms", "imdecode, ms", "more", "interval", "from a path"))
    photo = ck.imread(get_sample_data("grace_hopper.jpg", asfileobj=False))
    for size in (size for size in SIZES if size[0] in heights):
        image = ck.resize(photo, size, "cubic")
        for suffix, dtype, settings in KINDS:
            pixels = image if dtype == np.uint8 else image.astype(dtype) * dtype(257)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, f"a{suffix}")
                ck.imwrite(path, pixels, **settings)
                data = path.read_bytes()
                buffer = np.frombuffer(data, np.uint8)
                calls = {
                    "ours": lambda data=data: ck.imread(data),
                    "cv2": lambda buffer=buffer: cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED),
                    "path": lambda path=path: ck.imread(path),
                }
                times = interleaved(calls, pixels.nbytes, rounds, seconds=0.03)
            more = np.median(times["path"] / times["cv2"]) - 1
            ours, theirs = (np.median(times[name]) * 1e3 for name in ("ours", "cv2"))
            ratios = times["ours"] / times["cv2"] - 1
            low, high = interval(ratios)
            name = " ".join([f"{size[1]}×{size[0]}", np.dtype(dtype).name, suffix, *settings.values()])
            between = f"{low:+.1%}..{high:+.1%}"
            table.add(
                name, f"{ours:.2f}", f"{theirs:.2f}", f"{np.median(ratios):+.1%}", between, f"{more:+.1%}"
            )
    if output:
        table.write(output, ABOUT)
