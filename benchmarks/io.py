"""`python -m benchmarks io`: `imread` beside `cv2.imdecode` of the same bytes, on one thread."""

from __future__ import annotations

import numpy as np

import convkit as ck
from benchmarks.timing import interleaved

SIZES = ((512, 512), (1080, 1920), (2160, 3840))
KINDS = (
    (".jpg", np.uint8),
    (".png", np.uint8),
    (".png", np.uint16),
    (".webp", np.uint8),
    (".tiff", np.uint8),
    (".tiff", np.uint16),
    (".bmp", np.uint8),
    (".ppm", np.uint8),
)


def main(rounds: int) -> None:
    """Measure every size and kind; print milliseconds and what `imread` costs more."""
    import cv2
    from matplotlib.cbook import get_sample_data

    cv2.setNumThreads(1)
    photo = ck.imread(get_sample_data("grace_hopper.jpg", asfileobj=False))
    for size in SIZES:
        image = ck.resize(photo, size, "cubic")
        for suffix, dtype in KINDS:
            pixels = image if dtype == np.uint8 else image.astype(dtype) * 257
            data = cv2.imencode(suffix, pixels)[1].tobytes()
            buffer = np.frombuffer(data, np.uint8)
            calls = {
                "ours": lambda data=data: ck.imread(data),
                "cv2": lambda buffer=buffer: cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED),
            }
            times = interleaved(calls, pixels.nbytes, rounds, seconds=0.05)
            ours, theirs = (np.median(times[name]) * 1e3 for name in ("ours", "cv2"))
            more = np.median(times["ours"] / times["cv2"]) - 1
            name = f"{size[1]}×{size[0]} {np.dtype(dtype)} {suffix}"
            print(f"{name:26} imread {ours:8.2f} ms  imdecode {theirs:8.2f} ms  {more:+7.1%}", flush=True)
