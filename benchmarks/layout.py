"""`python -m benchmarks layout`: a 4K photo to a normalised BCHW batch and back, beside a plain copy."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

import convkit as ck
from benchmarks.table import Table
from benchmarks.timing import KEPT, interleaved, interval
from convkit._checks import empty

SHAPE = (2160, 3840, 3)
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
NORMAL = {"scale": "unit", "mean": MEAN, "std": STD}
FRESH = "(fresh output)"
ABOUT = """\
A 4K photo (2160×3840×3 uint8) to a normalised BCHW batch of float32 and back, by
`python -m benchmarks layout`. Medians of rounds in which the calls take turns; "copy" reads and writes
as many bytes in all. Of fresh outputs, each call's last {kept} are held alive. "times ours": its time over
convkit's in the same round, with the 95 % interval of its median."""
OURS = ("to_bchw", f"to_bchw {FRESH}", "from_bchw", f"from_bchw {FRESH}")


def main(threads: Sequence[int], rounds: int, output: Path | None) -> None:
    """Measure for each number of threads; print times and their ratios to ours, and write where asked."""
    table = Table("layout", ("call", "threads", "ms", "times ours", "interval"))
    photo = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)
    for count in threads:
        with ThreadPoolExecutor(count) as pool:
            to = {**_to_calls(photo, count), "copy": _copy(5 * photo.nbytes, count, pool)}
            back = {**_from_calls(photo, count), "copy back": _copy(5 * photo.nbytes, count, pool)}
            # those that write what they were given, then those that allocate: the latter dirty the caches
            for calls in (to, back):
                given = {name: call for name, call in calls.items() if FRESH not in name}
                fresh = {name: call for name, call in calls.items() if FRESH in name}
                for group in (given, fresh):
                    size = 4 * photo.nbytes
                    _show(table, count, interleaved(group, size, rounds, most_bytes=KEPT * size))
    if output:
        table.write(output, ABOUT.format(kept=KEPT))


def _show(table: Table, threads: int, times: dict[str, np.ndarray]) -> None:
    ours = next(name for name in times if name in OURS)
    for name, values in times.items():
        ratios = values / times[ours]
        low, high = interval(ratios)
        table.add(
            name,
            str(threads),
            f"{np.median(values) * 1e3:.2f}",
            f"{np.median(ratios):.2f}",
            f"{low:.2f}..{high:.2f}",
        )


def _to_calls(photo: np.ndarray, threads: int) -> dict[str, Callable[[], object]]:
    height, width, channels = photo.shape
    out = empty((1, channels, height, width), np.dtype(np.float32))
    out[...] = 0
    mean, std = MEAN.reshape(3, 1, 1), STD.reshape(3, 1, 1)

    def by_numpy() -> np.ndarray:
        planes = photo.transpose(2, 0, 1).astype(np.float32)
        planes *= np.float32(1 / 255)
        planes -= mean
        planes /= std
        return planes

    def by_numpy_into() -> None:
        out[0] = by_numpy()

    calls: dict[str, Callable[[], object]] = {
        "to_bchw": lambda: ck.to_bchw(photo, **NORMAL, out=out, num_threads=threads),
        f"to_bchw {FRESH}": lambda: ck.to_bchw(photo, **NORMAL, num_threads=threads),
        "NumPy": by_numpy_into,
        f"NumPy {FRESH}": by_numpy,
    }
    cv2 = _opencv(threads)
    if cv2 is not None:  # which allocates its output itself, and divides by no std
        blob = lambda: cv2.dnn.blobFromImage(photo, 1 / 255, mean=tuple(map(float, 255 * MEAN)))  # noqa: E731
        calls |= {"cv2.dnn.blobFromImage": blob, f"cv2.dnn.blobFromImage {FRESH}": blob}
    return calls


def _from_calls(photo: np.ndarray, threads: int) -> dict[str, Callable[[], object]]:
    batch = ck.to_bchw(photo, **NORMAL)
    out = np.zeros((1, *photo.shape), np.uint8)
    mean, std = MEAN.reshape(3, 1, 1), STD.reshape(3, 1, 1)

    def by_numpy() -> np.ndarray:
        planes = batch[0] * std
        planes += mean
        planes *= 255
        np.rint(planes, out=planes)
        np.clip(planes, 0, 255, out=planes)
        return np.ascontiguousarray(planes.astype(np.uint8).transpose(1, 2, 0))

    return {
        "from_bchw": lambda: ck.from_bchw(batch, "uint8", **NORMAL, out=out, num_threads=threads),
        f"from_bchw {FRESH}": lambda: ck.from_bchw(batch, "uint8", **NORMAL, num_threads=threads),
        "NumPy back": by_numpy,
        f"NumPy back {FRESH}": by_numpy,
    }


def _copy(total: int, threads: int, pool: ThreadPoolExecutor) -> Callable[[], object]:
    """A copy that reads and writes `total` bytes together, cut into as many parts as there are threads."""
    source, target = np.ones(total // 2, np.uint8), np.zeros(total // 2, np.uint8)
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
    if threads == 1:
        return lambda: np.copyto(target, source)
    return lambda: list(pool.map(lambda part: np.copyto(*part), parts))


def _opencv(threads: int):  # type: ignore[no-untyped-def]
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    try:
        import cv2
    except ImportError:
        return None
    cv2.setNumThreads(threads)
    return cv2
